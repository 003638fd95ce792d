/** Destroys one burst: its stack, then whatever the providers still list of it, until they list nothing; then it is `gone`. */
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import type { BurstRow } from "../../agent/contract/ledger.ts";
import { engineWords } from "../engine-words.ts";
import { trackProgress } from "../workflow/progress.ts";
import { endUnrecorded, type Operation, report } from "./launch.ts";
import { endMachine, endThing, listBurstMachines, unaskedSentence } from "./machines.ts";
import { destroyBurst, knownStacks, removeBurstStack } from "./stack.ts";

/** Tries before what can't be destroyed in its time is told as leaked: after a sleep of the computer the first one fails for no reason. */
const triesBeforeLeak = 3;
/** ms; what one try gets at least of the time that a destruction may take. */
const leastTryMs = 30_000;

/**
 * Throws when something of it is left, and the row stays as it is: it is tried again, and a row that is `retiring` for
 * longer than its teardown may take becomes `leaked`. `tries`: how often it was tried before.
 */
export async function retireBurst(row: BurstRow, operation: Operation, tries: number): Promise<void> {
  // A cloud's plugin waits for 20 minutes until an instance has ended: a cloud that lies would be told as leaked after an hour.
  const outOfTime = AbortSignal.timeout(Math.max(leastTryMs, row.teardownMs / triesBeforeLeak));
  try {
    await destroyEverything(row, { ...operation, signal: AbortSignal.any([operation.signal, outOfTime]) });
  } catch (error) {
    if (operation.signal.aborted || isMastersSilence(error)) throw error;
    const busyMs = error instanceof SpillwayError && error.code === "burst-busy" ? row.launchTimeoutMs : 0;
    const isOverdue = Date.now() - (row.at.retiring ?? Date.now()) > row.teardownMs + busyMs;
    if (!isOverdue || tries + 1 < triesBeforeLeak) throw error;
    await report(operation, row.id, { type: "leak", reason: describeError(error).slice(0, 1000) });
    operation.log(`${row.id} is leaked: ${describeError(error)}`);
    return;
  }
  await withCrashPoint("burst.gone", () => report(operation, row.id, { type: "gone" }));
}

/** It has nothing to do with this burst, and a leak could not be told either. */
function isMastersSilence(error: unknown): boolean {
  const silences = ["master-unreachable", "master-timeout", "stream-interrupted", "burster-held", "starting"];
  return error instanceof SpillwayError && silences.includes(error.code);
}

async function destroyEverything(row: Pick<BurstRow, "id" | "nodes" | "offer">, operation: Operation): Promise<void> {
  const { config, client, log, signal } = operation;
  const before = await listBurstMachines(config, signal);
  const silent = before.unasked.find(({ machine: { pool, name } }) => row.offer === `${pool}/${name}`);
  // Of a host that nothing was done to silence says nothing; any other has to be asked while its stack still names it.
  const wasTouched = knownStacks(config).some(({ burst, hasNodes }) => burst === row.id && hasNodes);
  if (silent !== undefined && wasTouched) throw stillThere(row.id, unaskedSentence(silent));
  // The engine deletes an interface only when no machine has it: one that Azure was still making when it was aborted has.
  await endUnrecorded(row, operation, before);
  await destroyStack(row.id, operation);
  const { machines, things } = await listBurstMachines(config, signal);
  for (const one of machines.filter(({ burst }) => burst === row.id)) await endMachine(config, one, log);
  // A run that was killed may have declared a node and recorded nothing.
  for (const node of row.nodes) await withCrashPoint("node.forget", () => client.removeNode(node));
  const between = machines.length > 0 ? await listBurstMachines(config, signal) : { things };
  for (const one of between.things.filter(({ burst }) => burst === row.id)) await endThing(one, log);
  const after = await listBurstMachines(config, signal);
  const left = after.machines.filter(({ burst }) => burst === row.id);
  const hanging = after.things.filter(({ burst }) => burst === row.id);
  if (left.length === 0 && hanging.length > 0)
    throw stillThere(row.id, `${hanging.map(({ kind, id }) => `the ${kind} ${id}`).join(", ")} is still listed`);
  if (left.length > 0) throw stillThere(row.id, `${left.map(({ machine }) => machine.name).join(", ")} is still listed`);
}

/** Destroys a stack with what it holds and takes it away; what the engine said is in the error. */
export async function destroyStack(burst: string, { config, log, signal }: Pick<Operation, "config" | "log" | "signal">): Promise<void> {
  const { onEvent, errors } = trackProgress({ onRow: ({ name, step, state }) => log(`${burst} ${name} ${state} ${step}`), onNotice: log });
  try {
    await withCrashPoint("burst.destroy", () => destroyBurst(config, burst, { onEvent, signal }));
  } catch (error) {
    if (error instanceof SpillwayError) throw error;
    throw stillThere(burst, errors.length > 0 ? errors.join("; ") : engineWords(error), error);
  }
  await withCrashPoint("burst.remove-stack", () => removeBurstStack(config, burst));
}

function stillThere(burst: string, why: string, cause?: unknown): SpillwayError {
  return new SpillwayError(`it could not be destroyed: ${why}`, {
    code: "burst-not-gone",
    where: `burst/${burst}`,
    hint: "It is tried again. By hand: ./spillway fsck --fix",
    cause,
  });
}
