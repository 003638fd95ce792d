/** Waiting for Azure: for operations that take minutes, and until it says that something is gone. Every wait has an end. */
import { setTimeout as delay } from "node:timers/promises";
import { SpillwayError } from "../../agent/contract/errors.ts";

/** What the SDKs give for an operation that takes long. */
export interface Operation {
  pollUntilDone(options?: { abortSignal?: AbortSignal }): Promise<unknown>;
}

/** A group with its machines takes Azure up to some minutes. */
const longestChangeMs = 10 * 60_000;

/** Throws `cloud-timeout` when Azure has not done it in time; it may still come to it. */
export async function untilDone(operation: Operation, where: string, deadlineMs: number = longestChangeMs): Promise<void> {
  const abortSignal = AbortSignal.timeout(deadlineMs);
  try {
    await operation.pollUntilDone({ abortSignal });
  } catch (error) {
    if (abortSignal.aborted) throw tooLong(where, deadlineMs);
    throw error;
  }
}

/** Asks again, each time after a longer pause, until there is an answer. Throws `cloud-timeout`. */
export async function untilSo(
  isSo: () => Promise<boolean>,
  where: string,
  { firstPauseMs, deadlineMs = longestChangeMs }: { readonly firstPauseMs: number; readonly deadlineMs?: number },
): Promise<void> {
  const deadline = Date.now() + deadlineMs;
  for (let pauseMs = firstPauseMs; !(await isSo()); pauseMs = Math.min(pauseMs * 1.5, 10_000)) {
    if (Date.now() + pauseMs > deadline) throw tooLong(where, deadlineMs);
    await delay(pauseMs);
  }
}

function tooLong(where: string, deadlineMs: number): SpillwayError {
  return new SpillwayError(`Azure has not done it within ${Math.round(deadlineMs / 60_000)} min`, {
    code: "cloud-timeout",
    where,
    hint: "Run it again: it goes on from where Azure is by then. Until it is gone it may be billed.",
  });
}
