/** Takes one node out of a running environment: an `up` that leaves its machine out, after everything was looked at. */
import type { Client } from "../../agent/contract/client.ts";
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { type Machine, whereOf } from "../../agent/contract/machine.ts";
import type { NodeView } from "../../agent/contract/node.ts";
import { removalByHand } from "../../bootstrap/commands/removal-by-hand.ts";
import { providerOf } from "../../providers/registry.ts";
import { removalVariables } from "../node-removal.ts";
import { isUnreachable } from "../plugin/master-access.ts";
import { readSettings } from "../settings-file.ts";
import { settingsPlace } from "../state-layout.ts";
import { mastersMachine, type WantedMachine, wantedMachines } from "../wanted-machines.ts";
import { findMachine, type KnownMachine, knownMachines, noSuchMachine } from "./machines.ts";
import { howToLeaveOut } from "./named-at.ts";
import type { ProgressOptions } from "./progress.ts";
import { type PlannedChange, preview, type UpOptions, type UpResult, up } from "./up.ts";

export interface RemovalOptions {
  /** 0: what runs is stopped and tried again elsewhere. */
  readonly drainMs: number;
  /** What is installed on it may stay, since it can't be reached. */
  readonly forget: boolean;
}

export interface RemovalPlan extends RemovalOptions {
  readonly name: string;
  /** As errors name it; the name alone where only the master knows it. */
  readonly where: string;
  /** As the master knows it; undefined when it does not, or does not answer. */
  readonly node: NodeView | undefined;
  /** Undefined where neither state nor settings know a machine of this name: then only its record goes. */
  readonly machine: Machine | undefined;
  /** Other machines that the settings name and that are not there, such as one that was removed before: none is added by this. */
  readonly absent: readonly string[];
  /** What to do in the settings afterwards; undefined when they name it no more. */
  readonly next: string | undefined;
  /** USD/hour that are saved, by the owner's own price. */
  readonly saved: number;
  /** The line that takes everything off it later; only for one that stays as it is. */
  readonly later: string | undefined;
}

/**
 * Everything that speaks against it is said before anything is changed.
 * Throws `no-such-machine`, `masters-machine`, `burst-machine`, `not-made-yet`, `machine-silent` without `forget`.
 */
export async function planRemoval(
  environment: string,
  typed: string,
  { client, ...options }: RemovalOptions & { readonly client: Pick<Client, "nodes"> },
): Promise<RemovalPlan> {
  const settings = readSettings(environment);
  const wanted = wantedMachines(settings);
  const { machines } = await knownMachines(environment);
  const nodes = await nodesOf(client);
  const one = findMachine(wanted, (each) => (each.provider === "ssh" ? each.host : each), typed);
  const made = findMachine(machines, ({ machine }) => machine, one?.name ?? typed)?.machine;
  const name = one?.name ?? made?.name ?? typed;
  const node = nodes.find((each) => each.name === name);
  if (one === undefined && made === undefined && node === undefined)
    throw noSuchMachine(environment, typed, [...wanted, ...machines.map(({ machine }) => machine), ...nodes]);
  refuse(environment, name, { one, made, node, carrier: mastersMachine(wanted, settings) });
  // What never became a node has nothing to be taken off.
  if (made !== undefined && node !== undefined && !options.forget) await refuseSilent(environment, made);
  const isReached = made === undefined || (await providerOf(made.provider).status(made)) !== "silent";
  return {
    ...options,
    name,
    where: made === undefined ? `node ${name}` : whereOf(made),
    node,
    machine: made,
    absent: absentOf(wanted, machines).filter((each) => each !== name),
    next: one === undefined ? undefined : howToLeaveOut(environment, settings, one),
    saved: made?.price?.hourly ?? node?.declaration.price?.hourly ?? 0,
    later: options.forget && !isReached ? removalByHand() : undefined,
  };
}

/** What an `up` without it changes; the rows of the node and its machine are among them. */
export async function previewRemoval(environment: string, plan: RemovalPlan, options: ProgressOptions): Promise<readonly PlannedChange[]> {
  if (plan.machine === undefined) return [];
  return await withVariables(variablesOf(plan), async () => (await preview(environment, options)).changes);
}

/** The changes that are no part of the removal: what the next `up` would do anyway. */
export function besides(changes: readonly PlannedChange[], { name }: Pick<RemovalPlan, "name">): PlannedChange[] {
  const follows = ["pool guard", "preflight", "rollout"];
  return changes.filter(
    (change) => !follows.includes(change.name) && !(change.operation === "delete" && change.name.split(" ").at(-1) === name),
  );
}

/** Throws what `up` throws; undefined where only the master's record had to go. */
export async function removeNode(
  environment: string,
  plan: RemovalPlan,
  { client, ...options }: UpOptions & { readonly client: Pick<Client, "removeNode"> },
): Promise<UpResult | undefined> {
  if (plan.machine !== undefined) return await withVariables(variablesOf(plan), () => up(environment, options));
  await withCrashPoint("node.forget", () => client.removeNode(plan.name));
  return undefined;
}

function variablesOf({ name, absent, drainMs, forget }: RemovalPlan): Record<string, string> {
  return removalVariables({ machine: name, absent, drainMs, forget });
}

function absentOf(wanted: readonly WantedMachine[], made: readonly KnownMachine[]): string[] {
  const there = new Set(made.map(({ machine }) => machine.name));
  return wanted.flatMap(({ name }) => (there.has(name) ? [] : [name]));
}

/** In this process, which runs the program; the engine and its plugins inherit them. */
async function withVariables<T>(variables: Record<string, string>, act: () => Promise<T>): Promise<T> {
  Object.assign(process.env, variables);
  try {
    return await act();
  } finally {
    for (const name of Object.keys(variables)) delete process.env[name];
  }
}

async function nodesOf(client: Pick<Client, "nodes">): Promise<NodeView[]> {
  try {
    return await client.nodes();
  } catch (error) {
    // The `up` mends the master before it comes to the node.
    if (isUnreachable(error)) return [];
    throw error;
  }
}

interface Found {
  readonly one: WantedMachine | undefined;
  readonly made: Machine | undefined;
  readonly node: NodeView | undefined;
  readonly carrier: WantedMachine;
}

function refuse(environment: string, name: string, { one, made, node, carrier }: Found): void {
  const burst = node?.declaration.burst;
  if (burst !== undefined) {
    throw new SpillwayError(`it belongs to the burst ${burst}, and goes with it`, {
      code: "burst-machine",
      where: `node ${name}`,
      hint: `spillway burst stop ${burst} --env ${environment}`,
    });
  }
  if (name === carrier.name) {
    throw new SpillwayError("it carries the master, whose records are on it: without it there is no pool", {
      code: "masters-machine",
      where: `node ${name}`,
      hint: `To keep tasks off it: spillway nodes drain ${name} --env ${environment}. To end the whole environment: ./spillway destroy ${environment}`,
    });
  }
  if (one !== undefined && made === undefined && node === undefined) {
    throw new SpillwayError("it stands in the settings and was not brought up yet, so there is nothing to remove", {
      code: "not-made-yet",
      where: `machine ${name}`,
      hint: `Take it out of ${settingsPlace(environment)}.`,
    });
  }
}

async function refuseSilent(environment: string, machine: Machine): Promise<void> {
  if ((await providerOf(machine.provider).status(machine)) !== "silent") return;
  throw new SpillwayError("it does not answer, so nothing can be taken off it", {
    code: "machine-silent",
    where: whereOf(machine),
    hint: `Switch it on, or mend its network, and run it again. If it is gone for good: spillway nodes remove ${machine.name} --forget --env ${environment}`,
  });
}
