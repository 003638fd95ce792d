/** Repeats a call while the master is away for a short while, as in a restart, and says so. */
import { setTimeout as sleep } from "node:timers/promises";
import { describeError, SpillwayError } from "../agent/contract/errors.ts";
import { say } from "./output.ts";

/** A restart of the master takes seconds; longer than this and a person has to look. */
const patienceMs = 60_000;
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
  readonly tell?: (line: string) => void;
}

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
    if (failingSince !== undefined) tell("The master answers again.");
    failingSince = undefined;
    pauseMs = firstPauseMs;
  };
  for (;;) {
    try {
      const result = await act(progress);
      progress();
      return result;
    } catch (error) {
      if (!isPassing(error) || signal?.aborted) throw error;
      const now = performance.now();
      if (failingSince === undefined) tell(`${describeError(error).split("\n")[0]}; trying again for up to ${Math.round(forMs / 1000)} s`);
      failingSince ??= now;
      if (now - failingSince > forMs) throw error;
    }
    await sleep(pauseMs, undefined, signal === undefined ? {} : { signal }).catch(() => {});
    pauseMs = Math.min(longestPauseMs, pauseMs * 2);
  }
}
