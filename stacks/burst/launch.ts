/** Launches one burst: the intent is checked once more and becomes `launching`, its stack is applied, the ledger is told. */
import type { Client } from "../../agent/contract/client.ts";
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import type { BurstEvent, BurstRow, LaunchPhase } from "../../agent/contract/ledger.ts";
import { trackProgress } from "../workflow/progress.ts";
import type { BursterConfig } from "./config.ts";
import { launchTimes } from "./launch-times.ts";
import { burstProgram } from "./program.ts";
import { applyBurst } from "./stack.ts";

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

/** Also finishes a launch that a former burster began: its stack is applied again, which makes nothing twice. */
export async function launchBurst(row: BurstRow, operation: Operation): Promise<void> {
  const { config, log, signal } = operation;
  const launching = row.state === "intent" ? await begin(row, operation) : row;
  if (launching === undefined) return;
  const deadline = (launching.at.launching ?? Date.now()) + launching.launchTimeoutMs;
  const leftMs = deadline - Date.now();
  if (leftMs <= 0) return await fail(operation, row.id, `it was not launched within ${launching.launchTimeoutMs / 1000} s`);
  const outOfTime = AbortSignal.timeout(leftMs);
  const times = launchTimes();
  const progress = trackProgress({ onRow: ({ name, step, state }) => log(`${row.id} ${name} ${state} ${step}`), onNotice: log });
  try {
    await withCrashPoint("burst.apply", () =>
      applyBurst(config, row.id, burstProgram(config, launching), {
        signal: AbortSignal.any([signal, outOfTime]),
        onEvent(event) {
          times.onEvent(event);
          progress.onEvent(event);
        },
      }),
    );
  } catch (error) {
    if (error instanceof SpillwayError && error.code === "burst-busy") throw error;
    // Whoever aborted it has other plans for it, and the row says which.
    if (signal.aborted) return;
    if (!outOfTime.aborted && wasInterrupted(progress.errors)) {
      throw new SpillwayError(`the engine or its plugin died: ${progress.errors[0] ?? firstLine(describeError(error))}`, {
        code: "burst-interrupted",
        where: `burst/${row.id}`,
        hint: "It is gone on with in a moment.",
        cause: error,
      });
    }
    const said = progress.errors.length > 0 ? progress.errors.join("; ") : firstLine(describeError(error));
    const late = outOfTime.aborted ? `it was not launched within ${launching.launchTimeoutMs / 1000} s` : undefined;
    return await fail(operation, row.id, [late, said].filter((part) => part !== undefined && part !== "").join(": "));
  }
  for (const [phase, seconds] of Object.entries(times.seconds()))
    await report(operation, row.id, { type: "time", phase: phase as LaunchPhase, seconds: Number(seconds.toFixed(3)) });
  await withCrashPoint("burst.launched", () => report(operation, row.id, { type: "launched" }));
}

/** Undefined when it may not be launched any more; the master has withdrawn it then. */
async function begin(row: BurstRow, operation: Operation): Promise<BurstRow | undefined> {
  try {
    return await withCrashPoint("burst.launch", () => report(operation, row.id, { type: "launch" }));
  } catch (error) {
    if (!(error instanceof SpillwayError) || (error.code !== "launch-refused" && error.code !== "ledger-refused")) throw error;
    operation.log(`${row.id} is not launched: ${error.message}`);
    return undefined;
  }
}

async function fail(operation: Operation, burst: string, reason: string): Promise<void> {
  operation.log(`${burst} failed to launch: ${reason}`);
  await report(operation, burst, { type: "fail", reason: reason.slice(0, 1000) });
}

/** An engine that was killed says nothing, one whose plugin was killed says that its connection broke: neither is the offer's fault. */
function wasInterrupted(errors: readonly string[]): boolean {
  return errors.every((text) =>
    /error reading from server|transport is closing|connection (refused|reset|error)|Unavailable desc =|plugin .*(exited|crashed)/i.test(
      text,
    ),
  );
}

function firstLine(text: string): string {
  const stderr = /stderr:\s*([\s\S]*?)(?:\n\s*err\?:|$)/.exec(text)?.[1]?.trim();
  return (stderr === undefined || stderr === "" ? text : stderr).split("\n")[0] ?? text;
}
