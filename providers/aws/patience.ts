/** Asking again, each time after a longer pause, until there is an answer or the patience is at its end. */
import { setTimeout as delay } from "node:timers/promises";

export interface Patience {
  /** ms; each pause is twice the one before, up to `longestPauseMs`. */
  readonly firstPauseMs: number;
  readonly longestPauseMs: number;
  /** ms of pauses in all. */
  readonly totalMs: number;
}

/** The first answer that is not undefined; undefined when none came within the patience. It asks once at least. */
export async function patiently<T>(
  { firstPauseMs, longestPauseMs, totalMs }: Patience,
  ask: () => Promise<T | undefined>,
): Promise<T | undefined> {
  let pauseMs = firstPauseMs;
  let leftMs = totalMs;
  for (;;) {
    const answer = await ask();
    if (answer !== undefined || leftMs <= 0) return answer;
    const waitedMs = Math.min(pauseMs, leftMs);
    await delay(waitedMs);
    leftMs -= waitedMs;
    pauseMs = Math.min(pauseMs * 2, longestPauseMs);
  }
}
