/** Takes an environment down in order, then everything that `up` had made for itself; the logs stay. */
import { teardownVariables } from "../node-removal.ts";
import { readSettings } from "../settings-file.ts";
import { stateLayout } from "../state-layout.ts";
import { cloudTraces, endTraces, endUnrecordedMachines, forgetTraces } from "./end-in-clouds.ts";
import { knownMachines } from "./machines.ts";
import { type ProgressOptions, trackProgress } from "./progress.ts";
import { engineFailure, parallel } from "./up.ts";
import { deleteOwnState, explained, openStack, ownsBackend, stackExists } from "./workspace.ts";

export interface DestroyResult {
  readonly changes: number;
  /** Where the final ledger and the logs are kept. */
  readonly logs: string;
}

/**
 * `forget`: give up what a silent master knows (its final ledger, an orderly end of tasks).
 * Throws a SpillwayError that holds what the resources said; the next destroy goes on from there.
 */
export async function destroy(environment: string, options: ProgressOptions & { forget?: boolean }): Promise<DestroyResult> {
  const layout = stateLayout(environment);
  const nothing = { changes: 0, logs: layout.logs };
  if (ownsBackend(environment) && !stackExists(environment)) {
    readSettings(environment);
    deleteOwnState(environment);
    return nothing;
  }
  const stack = await openStack(environment);
  const progress = trackProgress(options);
  Object.assign(process.env, teardownVariables);
  if (options.forget === true) process.env.SPILLWAY_FORGET = environment;
  const traces = await cloudTraces(environment);
  const destroyRecorded = (more: { readonly refresh?: true } = {}) =>
    explained(environment, () => stack.destroy({ parallel, onEvent: progress.onEvent, color: "never", ...more }));
  try {
    if (traces !== undefined) await endUnrecordedMachines(environment, traces, options.onNotice);
    await destroyRecorded().catch(async (error: unknown) => {
      // What a killed run has made and nobody recorded may hold what the engine is to delete: a subnet its network, an interface
      // its address. Only once master and nodes have gone in order.
      if (traces === undefined || progress.errors.length === 0 || (await knownMachines(environment)).hasRoles) throw error;
      await endTraces(environment, traces, options.onNotice);
      await destroyRecorded({ refresh: true });
    });
    // Before the state goes, which alone knows the environment's id.
    if (traces !== undefined) await endTraces(environment, traces, options.onNotice);
    await stack.workspace.removeStack(environment, { preserveConfig: true });
  } catch (error) {
    throw engineFailure(error, progress.errors, `./spillway destroy ${environment}`);
  }
  forgetTraces(environment);
  deleteOwnState(environment);
  return { changes: progress.changes(), logs: layout.logs };
}
