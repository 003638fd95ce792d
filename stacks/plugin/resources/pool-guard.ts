/**
 * Provider side of `PoolGuard`. It depends on everything, so it is made last and deleted first: on the way down it
 * latches `closing`, waits until no task runs and no burst is left, and keeps the final ledger.
 */
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import type { LedgerLine } from "../../../agent/contract/api.ts";
import type { Client } from "../../../agent/contract/client.ts";
import { withCrashPoint } from "../../../agent/contract/crash-point.ts";
import { SpillwayError } from "../../../agent/contract/errors.ts";
import { machine } from "../../../agent/contract/machine.ts";
import type { NodeDeclaration } from "../../../agent/contract/node.ts";
import { addResources, noResources, resources, systemReserve } from "../../../agent/contract/resources.ts";
import { productVersion } from "../../../agent/contract/version.ts";
import type { MachineStatus } from "../../../providers/provider.ts";
import { providerOf } from "../../../providers/registry.ts";
import { replaceFile } from "../../replace-file.ts";
import { endForgottenBursts, refuseUnaccountedBursts, waitForBursts } from "../end-of-bursts.ts";
import { isForgotten, isUnreachable, masterAccess, waitFor, withMaster, withPatientMaster } from "../master-access.ts";
import { holdsPin, pinOf } from "../node-pin.ts";
import { ownPlace } from "../own-place.ts";
import type { ResourceContext, ResourceHandler } from "../rpc.ts";

const graceMs = 10_000;
/** The tasks' grace, and time for the agents to tell. */
const stopTimeoutMs = 60_000;

const inputs = masterAccess.extend({
  environment: z.string(),
  machines: z.array(machine),
  reserve: resources.describe("kept back on the master's machine; another reserve is another pool to sum up"),
  systems: z
    .record(z.string(), systemReserve)
    .optional()
    .describe("kept back for the hosts' own systems, by node; missing before version 0.4"),
  logDirectory: z.string().describe("final-ledger.jsonl is kept here"),
  burstDirectory: z.string().optional().describe("of its burster, where it has one"),
  version: z.string().optional().describe("of Spillway; filled in by the plugin, missing in stacks before version 0.4"),
});
const outputs = z.object({
  nodes: z.number().int(),
  cpu: z.number().describe("millicores"),
  memory: z.number().describe("MiB"),
  hourly: z.number().default(0).describe("USD; missing in stacks of version 0.1"),
  /** As last read: a teardown was begun and not finished. */
  closing: z.boolean(),
  /** As last read the pool was another one than was told: it is summed up anew. Missing in stacks before version 0.3. */
  changed: z.boolean().default(false),
});
type Inputs = z.infer<typeof inputs>;
type Outputs = z.infer<typeof outputs>;

export const poolGuard: ResourceHandler<Inputs, Outputs> = {
  inputs,
  outputs,
  secrets: ["adminToken"],
  ignored: ["logDirectory", "burstDirectory"],
  // A new version may have more to tell the master, which its rollout has brought to that version before.
  complete: async () => ({ version: productVersion }),
  needsMending: (state) => state.closing || state.changed,

  async create(spec) {
    return { id: `guard-${spec.environment}`, outputs: await openPool(spec) };
  },

  async read(_id, state) {
    try {
      const { lacksPins, ...found } = await withMaster(state, async (client) => ({
        ...(await poolOutputs(client, state)),
        // A master of a version before, which does not tell its bundle, drops them.
        lacksPins: (await client.health()).bundle !== undefined && (await unpinned(client, state)).length > 0,
      }));
      const isAnother = lacksPins || found.nodes !== state.nodes || found.cpu !== state.cpu || found.memory !== state.memory;
      return { ...found, changed: state.changed || isAnother };
    } catch {
      // A master that is silent or strange is told on its own row; failing here would keep `up` from mending it.
      return outputs.parse(state);
    }
  },

  async update(_id, _old, spec) {
    return await openPool(spec);
  },

  async delete(_id, recorded, context) {
    const state = withOwnPlaces(recorded);
    if (isForgotten(state.environment)) {
      context.log("the master was not asked (--forget): tasks end with their machines, and there is no final ledger");
      await endForgottenBursts(state.burstDirectory, context);
      return;
    }
    try {
      await closePool(state, context);
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      await acceptSilenceOnlyWithoutPower(state, context);
    }
  },
};

/** The ledger is kept by whoever takes the environment down. */
function withOwnPlaces<T extends Inputs>(state: T): T {
  const { environment, logDirectory, burstDirectory } = state;
  const bursts = burstDirectory === undefined ? {} : { burstDirectory: ownPlace(burstDirectory, environment) };
  return { ...state, logDirectory: ownPlace(logDirectory, environment), ...bursts };
}

async function openPool(spec: Inputs): Promise<Outputs> {
  return await withPatientMaster(spec, async (client) => {
    await client.open();
    for (const { name, declaration } of await unpinned(client, spec))
      await withCrashPoint("node.declare", () => client.declareNode(name, declaration));
    return await poolOutputs(client, spec);
  });
}

/**
 * Nodes of which the master does not know the way and the host key that are pinned now, or what the host keeps for itself,
 * with what it is to know: those of a version before.
 */
async function unpinned(client: Client, spec: Inputs): Promise<{ readonly name: string; readonly declaration: NodeDeclaration }[]> {
  const wanted = new Map(spec.machines.map((one) => [one.name, one]));
  return (await client.nodes()).flatMap(({ name, declaration }) => {
    const at = wanted.get(name);
    const system = spec.systems?.[name];
    if (at === undefined || (holdsPin(declaration, at) && isDeepStrictEqual(declaration.system, system))) return [];
    return [{ name, declaration: { ...declaration, ...pinOf(at), ...(system === undefined ? {} : { system }) } }];
  });
}

/** Counts the wanted machines' nodes only: those that this very run will still remove are no part of the result. */
async function poolOutputs(client: Client, spec: Inputs): Promise<Outputs> {
  const wanted = new Set(spec.machines.map((one) => one.name));
  const nodes = (await client.nodes()).filter((node) => wanted.has(node.name));
  const total = nodes.reduce((sum, node) => addResources(sum, node.capacity), noResources);
  const hourly = nodes.reduce((sum, node) => sum + (node.declaration.price?.hourly ?? 0), 0);
  return { nodes: nodes.length, cpu: total.cpu, memory: total.memory, hourly, closing: (await client.pool()).closing, changed: false };
}

async function closePool(state: Inputs, context: ResourceContext): Promise<void> {
  context.status("stopping all tasks");
  await withPatientMaster(state, async (client) => {
    await withCrashPoint("guard.close", () => client.close({ graceMs, reason: `the environment ${state.environment} is being destroyed` }));
    await giveUpMachinesWithoutPower(client, state);
    await waitFor({
      what: "all tasks end",
      timeoutMs: stopTimeoutMs,
      signal: context.signal,
      probe: async () => {
        const { activeTasks } = await client.closing();
        if (activeTasks > 0) context.status(`waiting for ${activeTasks} tasks to end`);
        return activeTasks === 0 ? undefined : `${activeTasks} tasks still run`;
      },
    });
    await waitForBursts(client, state, context);
    const lines: LedgerLine[] = [];
    for await (const line of client.ledger()) lines.push(line);
    await withCrashPoint("guard.ledger", () => writeLedger(state.logDirectory, lines));
  });
}

function writeLedger(directory: string, lines: readonly LedgerLine[]): void {
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join("");
  replaceFile(join(directory, "final-ledger.jsonl"), text, { file: 0o644, directory: 0o755 });
}

/**
 * On a machine that is off nothing runs; its tasks need not be waited for until its node counts as lost. One that is silent
 * to us is given up only when the master hears nothing of it either.
 */
async function giveUpMachinesWithoutPower(client: Client, state: Inputs): Promise<void> {
  for (const target of state.machines) {
    const status = await providerOf(target.provider).status(target);
    if (status === "running") continue;
    if (status === "silent" && !(await isSilentToMaster(client, target.name))) continue;
    await withCrashPoint("node.forget", () => client.removeNode(target.name));
  }
}

async function isSilentToMaster(client: Client, node: string): Promise<boolean> {
  const known = (await client.nodes()).find(({ name }) => name === node);
  return known === undefined || known.state === "disconnected" || known.state === "lost";
}

/** A silent master may still run tasks. Only the providers' word that every machine is off or gone makes silence harmless. */
async function acceptSilenceOnlyWithoutPower(state: Inputs, context: ResourceContext): Promise<void> {
  const statuses = await Promise.all(state.machines.map((target) => providerOf(target.provider).status(target)));
  const named = (wanted: MachineStatus) => state.machines.filter((_machine, index) => statuses[index] === wanted).map(({ name }) => name);
  const [running, silent] = [named("running"), named("silent")];
  await refuseUnaccountedBursts(state, "the master does not answer");
  if (running.length + silent.length === 0) {
    context.log("every machine is off, so no task runs; the master could not be asked for a final ledger");
    return;
  }
  const facts = [
    ...(running.length === 0 ? [] : [`${running.length} machines still run (${running.join(", ")})`]),
    ...(silent.length === 0 ? [] : [`${silent.length} may run and do not answer either (${silent.join(", ")})`]),
  ];
  throw new SpillwayError(`the master at ${state.endpoint} does not answer, and ${facts.join("; ")}`, {
    code: "master-unreachable",
    where: `environment ${state.environment}`,
    hint: `Mend it first: ./spillway up ${state.environment}, then destroy again. To give up what it knows: ./spillway destroy ${state.environment} --forget ${state.environment}`,
  });
}
