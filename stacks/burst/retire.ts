/** Destroys one burst: its stack, then whatever the providers still list of it, until they list nothing; then it is `gone`. */
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import type { BurstRow } from "../../agent/contract/ledger.ts";
import { trackProgress } from "../workflow/progress.ts";
import { type Operation, report } from "./launch.ts";
import { endMachine, listBurstMachines, unaskedSentence } from "./machines.ts";
import { destroyBurst, knownStacks, removeBurstStack } from "./stack.ts";

/**
 * Throws when something of it is left, and the row stays as it is: it is tried again, and a row that is `retiring` for
 * longer than its teardown may take becomes `leaked`.
 */
export async function retireBurst(row: BurstRow, operation: Operation): Promise<void> {
  const { client, config } = operation;
  try {
    await destroyEverything(row, operation);
  } catch (error) {
    if (operation.signal.aborted || isPassing(error)) throw error;
    const since = row.at.retiring ?? Date.now();
    if (Date.now() - since < row.teardownMs) throw error;
    await report({ client, config }, row.id, { type: "leak", reason: describeError(error).slice(0, 1000) });
    operation.log(`${row.id} is leaked: ${describeError(error)}`);
    return;
  }
  await withCrashPoint("burst.gone", () => report(operation, row.id, { type: "gone" }));
}

/** What has nothing to do with this burst, and is over soon. */
function isPassing(error: unknown): boolean {
  const passing = ["burst-busy", "master-unreachable", "master-timeout", "stream-interrupted", "burster-held"];
  return error instanceof SpillwayError && passing.includes(error.code);
}

async function destroyEverything(row: Pick<BurstRow, "id" | "nodes" | "offer">, operation: Operation): Promise<void> {
  const { config, client, log, signal } = operation;
  const wasTouched = knownStacks(config).some(({ burst, hasNodes }) => burst === row.id && hasNodes);
  await destroyStack(row.id, operation);
  const { machines, unasked } = await listBurstMachines(config, signal);
  for (const one of machines.filter(({ burst }) => burst === row.id)) await endMachine(config, one, log);
  // A run that was killed may have declared a node and recorded nothing.
  for (const node of row.nodes) await withCrashPoint("node.forget", () => client.removeNode(node));
  const after = await listBurstMachines(config, signal);
  const left = after.machines.filter(({ burst }) => burst === row.id);
  if (left.length > 0) throw stillThere(row.id, `${left.map(({ machine }) => machine.name).join(", ")} is still listed`);
  // Of a host that nothing was done to, silence says nothing.
  const silent = wasTouched ? unasked.find(({ machine: { pool, name } }) => row.offer === `${pool}/${name}`) : undefined;
  if (silent !== undefined) throw stillThere(row.id, unaskedSentence(silent));
}

/** Destroys a stack with what it holds and takes it away; what the engine said is in the error. */
export async function destroyStack(burst: string, { config, log, signal }: Pick<Operation, "config" | "log" | "signal">): Promise<void> {
  const progress = trackProgress({ onRow: ({ name, step, state }) => log(`${burst} ${name} ${state} ${step}`), onNotice: log });
  try {
    await withCrashPoint("burst.destroy", () => destroyBurst(config, burst, { onEvent: progress.onEvent, signal }));
  } catch (error) {
    if (progress.errors.length === 0) throw error;
    throw stillThere(burst, progress.errors.join("; "), error);
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
