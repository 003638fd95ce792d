/** What a teardown has to see before anything else goes: no burst is left, by the ledger's word or, without a master, by the providers'. */
import type { Client } from "../../agent/contract/client.ts";
import { ifFound, SpillwayError } from "../../agent/contract/errors.ts";
import type { BurstRow } from "../../agent/contract/ledger.ts";
import { type BursterConfig, readBursterConfig } from "../burst/config.ts";
import { listBurstMachines } from "../burst/machines.ts";
import { lookAround, mend } from "../burst/sweep.ts";
import { startBurster, stopBurster } from "../burst/unit.ts";
import { waitFor } from "./master-access.ts";
import type { ResourceContext } from "./rpc.ts";

/** Time for a launch that is under way to be given up, beside what the destruction itself may take. */
const allowanceMs = 120_000;

interface Guarded {
  readonly environment: string;
  readonly burstDirectory?: string | undefined;
}

/**
 * The master was told to end every burst; its burster does so, and is started when it does not run. `drainMs`: how long
 * their tasks have. Throws `bursts-leaked`, and `timed-out` with what is left.
 */
export async function waitForBursts(
  client: Client,
  { environment, burstDirectory, drainMs = 0 }: Guarded & { readonly drainMs?: number },
  context: ResourceContext,
): Promise<void> {
  const config = burstDirectory === undefined ? undefined : readBursterConfig(burstDirectory);
  const rows = await rowsOf(client);
  if (rows.length > 0) await waitForRows(client, rows, { environment, drainMs, config }, context);
  // What a ledger that was lost knew of.
  if (config !== undefined) await endUnaccountedBursts(config, context);
}

/** A master of a version before 0.3 has no bursts. */
async function rowsOf(client: Client): Promise<readonly BurstRow[]> {
  return (await ifFound(client.bursts()))?.rows ?? [];
}

async function waitForRows(
  client: Client,
  rows: readonly BurstRow[],
  { environment, drainMs, config }: { readonly environment: string; readonly drainMs: number; readonly config: BursterConfig | undefined },
  context: ResourceContext,
): Promise<void> {
  if (config !== undefined) await startBurster(config);
  const hint = `See: ./spillway fsck --fix ${environment}, then destroy again.`;
  await waitFor({
    what: "every burst is gone",
    timeoutMs: drainMs + allowanceMs + Math.max(...rows.map(({ teardownMs }) => teardownMs)),
    signal: context.signal,
    probe: async () => {
      const left = (await client.bursts()).rows;
      if (left.length > 0) context.status(`waiting for ${left.length === 1 ? "a burst" : `${left.length} bursts`} to be destroyed`);
      return left.every(({ state }) => state === "leaked") ? undefined : left.map(({ id, state }) => `${id} is ${state}`).join(", ");
    },
  });
  const leaked = (await client.bursts()).rows;
  if (leaked.length > 0)
    throw new SpillwayError(leakSentence(leaked), { code: "bursts-leaked", where: `environment ${environment}`, hint });
}

function leakSentence(rows: readonly BurstRow[]): string {
  return rows.map(({ id, hourly, why }) => `${id} could not be ended and costs $${hourly}/hour (${why})`).join("; ");
}

/** Nobody is left to end what was bought. Throws `bursts-left` when a provider still lists something, or can't tell. */
export async function refuseUnaccountedBursts({ environment, burstDirectory }: Guarded, why: string): Promise<void> {
  const config = burstDirectory === undefined ? undefined : readBursterConfig(burstDirectory);
  if (config === undefined) return;
  const { machines } = await listBurstMachines(config);
  if (machines.length === 0) return;
  const names = machines.map(({ machine }) => machine.name).join(", ");
  throw new SpillwayError(`${why}, and machines of bursts are still there: ${names}`, {
    code: "bursts-left",
    where: `environment ${environment}`,
    hint: `End them: ./spillway fsck --fix ${environment} (with --forget ${environment} where its master does not answer), then run this again.`,
  });
}

/** When everything goes: all that stacks and providers still know of bursts is ended, also what no ledger knows. Throws for the first that can't be. */
export async function endUnaccountedBursts(config: BursterConfig, context: ResourceContext): Promise<void> {
  const look = await lookAround(config, { readLedger: async () => undefined, signal: context.signal });
  for (const finding of look.findings) {
    context.status(finding.found);
    context.log(await mend(finding, look, { config, client: undefined, log: context.sentence, signal: context.signal }));
  }
}

/** The same when its master is given up: first nobody may buy any more. */
export async function endForgottenBursts(burstDirectory: string | undefined, context: ResourceContext): Promise<void> {
  const config = burstDirectory === undefined ? undefined : readBursterConfig(burstDirectory);
  if (config === undefined) return;
  await stopBurster(config.directory);
  await endUnaccountedBursts(config, context);
}
