/** Repeats a call while the master is away for a short while, as in a restart, and says so. */
import { setTimeout as sleep } from "node:timers/promises";
import { describeError, SpillwayError } from "../agent/contract/errors.ts";
import { say } from "./output.ts";

/** A restart of the master takes seconds; longer than this and a person has to look. */
const patienceMs = 60_000;
/** For a single request: a person who waits for its answer should soon learn that the master is away for longer. */
export const restartPatienceMs = 10_000;
const firstPauseMs = 100;
const longestPauseMs = 2_000;

/** What goes away by itself when the master is back. */
const passing = new Set(["master-unreachable", "master-timeout", "stream-interrupted", "starting"]);

export function isPassing(error: unknown): boolean {
  return error instanceof SpillwayError && passing.has(error.code);
}

export interface PatienceOptions {
  readonly forMs?: number;
  readonly signal?: AbortSignal | undefined;
  /** Told once that the master is away and once that it is back, however many calls wait at the same time. */
  readonly tell?: (line: string) => void;
}

/** How many calls wait, by who is told. */
const waitingCalls = new WeakMap<(line: string) => void, number>();

/**
 * Runs `act` until it returns; a fault that passes is waited for, up to `forMs` after the last sign of life
 * (`progress()` is one), then thrown. Any other error is thrown at once.
 */
export async function patiently<T>(
  act: (progress: () => void) => Promise<T>,
  { forMs = patienceMs, signal, tell = say }: PatienceOptions = {},
): Promise<T> {
  let failingSince: number | undefined;
  let pauseMs = firstPauseMs;
  const progress = (): void => {
    if (failingSince !== undefined && countWaiting(tell, -1) === 0) tell("The master answers again.");
    failingSince = undefined;
    pauseMs = firstPauseMs;
  };
  for (;;) {
    try {
      const result = await act(progress);
      progress();
      return result;
    } catch (error) {
      const now = performance.now();
      if (!isPassing(error) || signal?.aborted || now - (failingSince ?? now) > forMs) {
        if (failingSince !== undefined) countWaiting(tell, -1);
        throw error;
      }
      if (failingSince === undefined && countWaiting(tell, 1) === 1) {
        tell(`${describeError(error).split("\n")[0]}; trying again for up to ${Math.round(forMs / 1000)} s`);
      }
      failingSince ??= now;
    }
    await sleep(pauseMs, undefined, signal === undefined ? {} : { signal }).catch(() => {});
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  }
}

function countWaiting(tell: (line: string) => void, change: 1 | -1): number {
  const count = (waitingCalls.get(tell) ?? 0) + change;
  waitingCalls.set(tell, count);
  return count;
}
