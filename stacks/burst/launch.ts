/** Launches one burst: the intent is checked once more and becomes `launching`, its stack is applied, the ledger is told. */
import type { Client } from "../../agent/contract/client.ts";
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import type { BurstEvent, BurstRow, LaunchPhase, LaunchProblem } from "../../agent/contract/ledger.ts";
import { formatDuration } from "../../agent/contract/quantities.ts";
import { placeOfOffer } from "../../providers/offers.ts";
import { providerOf } from "../../providers/registry.ts";
import { refusedBy } from "../cloud-refusal.ts";
import { cloudsOf, loadClouds } from "../clouds.ts";
import { engineWords } from "../engine-words.ts";
import { trackProgress } from "../workflow/progress.ts";
import { rememberPlace } from "./bought-in.ts";
import type { BursterConfig } from "./config.ts";
import { launchTimes } from "./launch-times.ts";
import { endMachine, endThing, type Listing, listBurstMachines } from "./machines.ts";
import { burstProgram } from "./program.ts";
import { applyBurst, knownStacks, refuseBusy } from "./stack.ts";

export interface Operation {
  readonly config: BursterConfig;
  readonly client: Client;
  /** Aborted when the row wants something else, or the burster is to end. */
  readonly signal: AbortSignal;
  readonly log: (text: string) => void;
}

/** The row's move, told to the master. */
export async function report(
  { client, config }: Pick<Operation, "client" | "config">,
  burst: string,
  event: BurstEvent,
): Promise<BurstRow> {
  return await client.reportBurst(burst, { holder: config.holder, event });
}

/**
 * Also finishes a launch that a former burster began: its stack is applied again, which makes nothing twice. Throws when it
 * should be tried again; what came to nothing is told to the ledger.
 */
export async function launchBurst(burst: string, operation: Operation): Promise<void> {
  // What is known of it may be old: a launch that is over is never begun again.
  const known = await operation.client.burst(burst);
  const row = known.state === "intent" ? await begin(burst, operation) : known;
  if (row?.state !== "launching") return;
  const leftMs = known.state === "intent" ? row.launchTimeoutMs : (row.at.launching ?? 0) + row.launchTimeoutMs - Date.now();
  if (leftMs <= 0) return await endLate(burst, operation, "");
  if (row.provider === "aws" || row.provider === "azure")
    rememberPlace(operation.config, { cloud: row.provider, region: placeOfOffer(row.offer).region });
  // A cloud makes another machine when it is asked again: what a former run has made and nobody has recorded goes first.
  if (known.state === "launching") await endUnrecorded(row, operation);
  const outOfTime = AbortSignal.timeout(leftMs);
  const times = launchTimes();
  const { onEvent, errors } = trackProgress({
    onRow: (shown) => {
      operation.log(`${burst} ${shown.name} ${shown.state} ${shown.step}`);
      if (shown.state === "done") tellProgress(burst, `${shown.name} is there after ${formatDuration(shown.ms)}`, operation);
    },
    onNotice: operation.log,
  });
  try {
    const program = burstProgram(operation.config, row, await loadClouds(cloudsOf({ pools: {}, burst: operation.config })));
    const run = {
      signal: AbortSignal.any([operation.signal, outOfTime]),
      onEvent: (event: Parameters<typeof onEvent>[0]) => {
        times.onEvent(event);
        onEvent(event);
      },
    };
    await withCrashPoint("burst.apply", () => applyBurst(operation.config, burst, program, run));
  } catch (error) {
    if (error instanceof SpillwayError && error.code === "burst-busy") throw error;
    // Whoever aborted it has other plans for it, and the row says which.
    if (operation.signal.aborted) return;
    const said = errors.length > 0 ? errors.join("; ") : (engineWords(error).split("\n")[0] ?? "");
    if (outOfTime.aborted) return await endLate(burst, operation, errors.join("; "));
    if (wasInterrupted(errors)) throw interrupted(burst, said, error);
    return await fail(operation, burst, said, refusedBy(row.provider, errors.join("; ")));
  }
  for (const [phase, seconds] of Object.entries(times.seconds()))
    await report(operation, burst, { type: "time", phase: phase as LaunchPhase, seconds: Number(seconds.toFixed(3)) });
  await withCrashPoint("burst.launched", () => report(operation, burst, { type: "launched" }));
}

/**
 * Ends what a cloud lists of a burst and its stack does not hold. Throws `burst-busy` while an engine is at work on it, and what
 * the clouds say. `listed`: where they have just been asked.
 */
export async function endUnrecorded(
  { id }: Pick<BurstRow, "id">,
  { config, signal, log }: Pick<Operation, "config" | "signal" | "log">,
  listed?: Pick<Listing, "machines" | "things">,
): Promise<void> {
  if (cloudsOf({ pools: {}, burst: config }).length === 0) return;
  // What an engine that outlived its burster is making is recorded in a moment.
  refuseBusy(config, id);
  const ids = knownStacks(config).find(({ burst }) => burst === id)?.ids ?? [];
  // Azure's ids know no case: the engine has them as Azure wrote them, machines are listed in one spelling.
  const recorded = new Set([...ids].map((one) => one.toLowerCase()));
  const isStrange = (thing: { readonly burst: string }, providerId: string) =>
    thing.burst === id && !recorded.has(providerId.toLowerCase());
  const { machines, things } = listed ?? (await listBurstMachines(config, signal));
  for (const one of machines)
    if (isStrange(one, one.machine.providerId) && providerOf(one.machine.provider).isCloud) await endMachine(config, one, log);
  // Azure makes nothing under a name that is taken. What hangs on a machine goes with that.
  for (const thing of things) if (thing.of === undefined && isStrange(thing, thing.id)) await endThing(thing, log);
}

/** For whoever watches; nothing depends on it. */
function tellProgress(burst: string, text: string, { client, config, log }: Operation): void {
  client
    .tellBurst({ holder: config.holder, burst, kind: "burst-progress", message: `Burst ${burst}: ${text}` })
    .catch((error: unknown) => log(describeError(error)));
}

/** Undefined when it may not be launched any more; the master has withdrawn it then. */
async function begin(burst: string, operation: Operation): Promise<BurstRow | undefined> {
  try {
    return await withCrashPoint("burst.launch", () => report(operation, burst, { type: "launch" }));
  } catch (error) {
    if (!(error instanceof SpillwayError) || (error.code !== "launch-refused" && error.code !== "ledger-refused")) throw error;
    operation.log(`${burst} is not launched: ${error.message}`);
    return undefined;
  }
}

/** The time is over. Nodes that have all joined are no failure, whoever died before that was told. */
async function endLate(burst: string, operation: Operation, said: string): Promise<void> {
  const { state, nodes, joined, launchTimeoutMs } = await operation.client.burst(burst);
  if (state !== "launching") return;
  if (nodes.every((node) => node in joined)) {
    await withCrashPoint("burst.launched", () => report(operation, burst, { type: "launched" }));
    return;
  }
  const late = `it was not launched within ${launchTimeoutMs / 1000} s`;
  await fail(operation, burst, said === "" ? late : `${late}: ${said}`);
}

async function fail(operation: Operation, burst: string, reason: string, problem?: LaunchProblem): Promise<void> {
  operation.log(`${burst} failed to launch: ${reason}`);
  await report(operation, burst, { type: "fail", reason: reason.slice(0, 1000), ...(problem === undefined ? {} : { problem }) });
}

/** An engine that was killed says nothing, one whose plugin was killed says that its connection broke: neither is the offer's fault. */
function wasInterrupted(errors: readonly string[]): boolean {
  const broken =
    /error reading from server|transport is closing|connection (refused|reset|error)|Unavailable desc =|plugin .*(exited|crashed)/i;
  return errors.every((text) => broken.test(text));
}

function interrupted(burst: string, said: string, cause: unknown): SpillwayError {
  return new SpillwayError(`the engine or its plugin died: ${said}`, {
    code: "burst-interrupted",
    where: `burst/${burst}`,
    hint: "It is gone on with in a moment.",
    cause,
  });
}
