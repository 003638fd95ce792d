/** Brings an environment up, or previews it: the settings are checked first, then the engine runs the program. */
import { mkdirSync } from "node:fs";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { type BurstCeiling, burstCeiling } from "../burst-ceiling.ts";
import { type CloudPoolCost, cloudPoolCosts } from "../cloud-pool-cost.ts";
import { cloudsOf, type FoundMachines } from "../clouds.ts";
import { engineWords } from "../engine-words.ts";
import type { PoolSummary } from "../environment.ts";
import { overridesOf } from "../guard-rails.ts";
import { environmentProgram } from "../program.ts";
import type { EnvironmentSettings } from "../settings.ts";
import { readSettings } from "../settings-file.ts";
import { stateLayout } from "../state-layout.ts";
import { hourlyPrice, wantedMachines } from "../wanted-machines.ts";
import { forgetTraces } from "./end-in-clouds.ts";
import { endExisting } from "./existing-in-clouds.ts";
import { foundInClouds } from "./found-in-clouds.ts";
import { knownMachines } from "./machines.ts";
import { type ProgressOptions, trackProgress } from "./progress.ts";
import { explained, openStack } from "./workspace.ts";

export const parallel = 32;

/** Of the engine in one `up`, should what it is refused come again each time. */
const mostRuns = 10;

/** The same program as in stacks/environment, run in this process: no language host and no second Node to start. */
const programWith = (found: FoundMachines) => async () => ({ ...(await environmentProgram(found)) });

export interface UpOptions extends ProgressOptions {
  readonly onStart?: () => void;
  /** For the plugin, in this run alone. */
  readonly variables?: Readonly<Record<string, string>>;
  /** The command by which a person goes on after a failure. */
  readonly again?: string;
}

export interface UpResult {
  readonly changes: number;
  readonly masterUrl: string;
  readonly pool: PoolSummary;
  /** Machines that can't be used and are no failure, each with the reason. */
  readonly leftOut: readonly string[];
}

/** Throws a SpillwayError that holds what the resources said; what was made is kept, and the next `up` goes on from it. */
export async function up(environment: string, options: UpOptions): Promise<UpResult> {
  const settings = readSettings(environment);
  mkdirSync(stateLayout(environment).logs, { recursive: true });
  const stack = await openStack(environment);
  const { workspace } = stack;
  workspace.envVars = { ...workspace.envVars, ...options.variables };
  options.onStart?.();
  forgetTraces(environment);
  const found = await foundMachines(environment, settings);
  const progress = trackProgress(options);
  let told = 0;
  try {
    const run = () =>
      explained(environment, () =>
        stack.up({ program: programWith(found), parallel, refresh: true, onEvent: progress.onEvent, color: "never" }),
      );
    const { outputs } = await afterExisting(run, async () => {
      const said = progress.errors.slice(told);
      told = progress.errors.length;
      return await endExisting(environment, settings, said, options.onNotice);
    });
    return {
      changes: progress.changes(),
      masterUrl: String(outputs.masterUrl?.value),
      pool: outputs.pool?.value as PoolSummary,
      leftOut: (outputs.leftOut?.value ?? []) as string[],
    };
  } catch (error) {
    throw engineFailure(error, progress.errors, options.again ?? `./spillway up ${environment}`);
  }
}

/**
 * The engine stops at the first thing that it refuses to make, and one that was killed may have left some of all kinds: each run
 * gets past what was ended after the one before it, and none is made for nothing.
 */
export async function afterExisting<T>(run: () => Promise<T>, endWhatExists: () => Promise<boolean>): Promise<T> {
  for (let runs = 1; ; runs++) {
    try {
      return await run();
    } catch (error) {
      if (runs === mostRuns || !(await endWhatExists())) throw error;
    }
  }
}

async function foundMachines(environment: string, settings: EnvironmentSettings): Promise<FoundMachines> {
  if (cloudsOf({ pools: settings.pools }).length === 0) return {};
  return await foundInClouds(environment, settings, await knownMachines(environment));
}

export interface PlannedChange {
  readonly name: string;
  readonly operation: string;
}

export interface Preview {
  readonly changes: readonly PlannedChange[];
  /** USD/hour of all machines once it is done, by the owner's own prices. */
  readonly hourly: number;
  /** What node pools in clouds cost beyond that. */
  readonly cloudPools: readonly CloudPoolCost[];
  /** Guard rails that do not hold, each as a sentence with the reason. */
  readonly guardsSetAside: readonly string[];
  /** What bursts may cost beyond that; undefined where the environment does not burst. */
  readonly bursts?: BurstCeiling;
}

/** What `up` would change, without changing anything. */
export async function preview(environment: string, options: ProgressOptions): Promise<Preview> {
  const settings = readSettings(environment);
  const hourly = hourlyPrice(wantedMachines(settings));
  const cloudPools = cloudPoolCosts(settings);
  const bursts = settings.burst === undefined ? {} : { bursts: burstCeiling(settings.burst) };
  const found = await foundMachines(environment, settings);
  const stack = await openStack(environment);
  const planned = new Map<string, PlannedChange>();
  const progress = trackProgress({
    ...options,
    onRow: (row) => {
      planned.set(row.name, { name: row.name, operation: row.operation });
      options.onRow(row);
    },
  });
  try {
    await explained(environment, () =>
      stack.preview({ program: programWith(found), parallel, refresh: true, onEvent: progress.onEvent, color: "never" }),
    );
    return { changes: [...planned.values()], hourly, cloudPools, guardsSetAside: overridesOf(settings), ...bursts };
  } catch (error) {
    throw engineFailure(error, progress.errors, `./spillway preview ${environment}`);
  }
}

/** The resources' own words where there are any; else what the engine said, without its command line. */
export function engineFailure(error: unknown, told: readonly string[], again: string): unknown {
  if (error instanceof SpillwayError) return error;
  const words = [...new Set(told)];
  if (words.length === 0) words.push(engineWords(error));
  return new SpillwayError(words.join("\n"), { code: "engine", cause: error, hint: `What was done is kept. To go on: ${again}` });
}
