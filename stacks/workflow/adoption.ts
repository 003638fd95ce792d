/** Whether the machines of the settings are one environment that can be adopted, and what that means for each; pure. */
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { PinLine } from "../../agent/contract/pins.ts";
import type { MachineIdentity } from "../../bootstrap/machine-facts.ts";

/** What one machine of the settings said of itself. */
export interface Asked {
  readonly name: string;
  readonly where: string;
  readonly isCarrier: boolean;
  /** What it means for the others when it can't be used. */
  readonly onFailure: "stop" | "continue";
  /** `silent`: could not be asked, `why` says the reason; no identity: it is nobody's. */
  readonly answer: { readonly kind: "asked"; readonly identity?: MachineIdentity } | { readonly kind: "silent"; readonly why: string };
}

export interface AdoptionInput {
  readonly environment: string;
  readonly asked: readonly Asked[];
  /** What the master's records say; undefined where they are gone, or its version can't tell. */
  readonly pins: readonly PinLine[] | undefined;
  /** Of a stack that is there and was not finished. */
  readonly begun: { readonly environmentId: string; readonly hasRoles: boolean } | undefined;
}

export interface Adoption {
  readonly environmentId: string;
  /** A stack that an `up` has begun after the loss is taken away first; it holds no node. */
  readonly supersedes: boolean;
  /** Machines that are the environment's. */
  readonly adopted: readonly string[];
  /** Nobody's yet: they become nodes like any new machine. */
  readonly fresh: readonly string[];
  /** They did not answer, and the settings go on without them. */
  readonly missing: readonly { readonly where: string; readonly why: string }[];
  /** Nodes of the master's records that the settings do not name. */
  readonly unnamed: readonly string[];
  /** Bursts of the master's records that are not gone. */
  readonly bursts: readonly Extract<PinLine, { kind: "burst" }>[];
  /** Whether the master's records are there, so that it knows its nodes and jobs; undefined: it can't tell. */
  readonly hasRecords: boolean | undefined;
}

/** Throws `nothing-to-adopt`, `several-environments`, `another-name`, `machine-silent` and `another-stack`: nothing was changed. */
export function adoptionOf({ environment, asked, pins, begun }: AdoptionInput): Adoption {
  const owned = asked.flatMap(({ name, where, answer }) =>
    answer.kind === "asked" && answer.identity !== undefined ? [{ name, where, identity: answer.identity }] : [],
  );
  refuseSilent(environment, asked);
  const environmentId = oneEnvironment(environment, owned);
  refuseOtherNames(owned);
  const supersedes = begun !== undefined && begun.environmentId !== environmentId;
  if (supersedes && begun.hasRoles) throw anotherStack(environment, begun.environmentId, environmentId);
  const carrier = asked.find(({ isCarrier }) => isCarrier);
  const carrierIsFresh = carrier !== undefined && !owned.some(({ name }) => name === carrier.name);
  const named = new Set(asked.map(({ name }) => name));
  return {
    environmentId,
    supersedes,
    adopted: owned.map(({ name }) => name),
    fresh: asked.flatMap(({ name, answer }) => (answer.kind === "asked" && answer.identity === undefined ? [name] : [])),
    missing: asked.flatMap(({ where, answer }) => (answer.kind === "silent" ? [{ where, why: answer.why }] : [])),
    unnamed: (pins ?? []).flatMap((pin) => (pin.kind === "node" && pin.burst === undefined && !named.has(pin.name) ? [pin.name] : [])),
    bursts: (pins ?? []).filter((pin) => pin.kind === "burst"),
    hasRecords: carrierIsFresh ? false : pins === undefined ? undefined : pins.length > 0,
  };
}

interface Owned {
  readonly name: string;
  readonly where: string;
  readonly identity: MachineIdentity;
}

function refuseSilent(environment: string, asked: readonly Asked[]): void {
  const silent = asked.flatMap(({ where, answer, onFailure, isCarrier }) =>
    answer.kind === "silent" && (onFailure === "stop" || isCarrier) ? [{ where, why: answer.why }] : [],
  );
  if (silent.length === 0) return;
  const list = silent.map(({ where, why }) => `- ${where}: ${why.replaceAll("\n", "\n  ")}`).join("\n");
  throw new SpillwayError(`${silent.length} of ${asked.length} machines could not be asked whose they are:\n${list}`, {
    code: "machine-silent",
    where: `environment ${environment}`,
    hint: "Mend that, or take those that are gone for good out of the settings (with onFailure: continue at a pool it goes on without them; the master's machine must answer).",
  });
}

function oneEnvironment(environment: string, owned: readonly Owned[]): string {
  const byId = Map.groupBy(owned, ({ identity }) => identity.environmentId);
  const [only, ...others] = byId.keys();
  if (only === undefined) {
    throw new SpillwayError("no machine of the settings says that it belongs to an environment, so there is nothing to adopt", {
      code: "nothing-to-adopt",
      where: `environment ${environment}`,
      hint: `\`./spillway up ${environment}\` begins a new one on them.`,
    });
  }
  if (others.length === 0) return only;
  const list = [...byId].map(
    ([id, machines]) => `- ${id} ("${machines[0]?.identity.environment}"): ${machines.map(({ where }) => where).join(", ")}`,
  );
  throw new SpillwayError(`the machines of the settings belong to ${byId.size} environments:\n${list.join("\n")}`, {
    code: "several-environments",
    where: `environment ${environment}`,
    hint: "Take those of the others out of the settings: a foreign machine is never taken over.",
  });
}

/** Under another name it would be another node, and its tasks nobody's. */
function refuseOtherNames(owned: readonly Owned[]): void {
  const renamed = owned.filter(({ name, identity }) => identity.machine !== name || identity.burst !== undefined);
  if (renamed.length === 0) return;
  const list = renamed.map(({ where, identity }) =>
    identity.burst === undefined
      ? `- ${where} was ${identity.machine}: write name: ${identity.machine} at its host`
      : `- ${where} is ${identity.machine} of the burst ${identity.burst}: take it out of the node pools until that has ended`,
  );
  throw new SpillwayError(
    `${renamed.length === 1 ? "a machine bears" : `${renamed.length} machines bear`} another name than the settings give:\n${list.join("\n")}`,
    {
      code: "another-name",
      hint: "Under another name it would be another node, and its tasks would be ended.",
    },
  );
}

function anotherStack(environment: string, begunId: string, environmentId: string): SpillwayError {
  return new SpillwayError(
    `there is a stack of another environment of this name (${begunId}), with nodes of its own; the machines that were asked belong to ${environmentId}`,
    {
      code: "another-stack",
      where: `environment ${environment}`,
      hint: `Are the settings the right ones? If that environment is to go: ./spillway destroy ${environment}; machines that are not its own are left alone.`,
    },
  );
}
