/** What is kept of recorded attempts, for their logs: the newest few hundred, for a day, as far as their bytes go. */
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";

export const maxKeptTasks = 500;
export const maxKeptMs = 24 * 3_600_000;

interface Recorded {
  readonly taskId: string;
  readonly finishedAt: number;
  /** Of its output. */
  readonly bytes: number;
}

/** The ids to delete of recorded attempts, so that those left are few, young and at most `maxBytes` together. Pure. */
export function expiredTasks(
  recorded: readonly Recorded[],
  { now, maxBytes }: { readonly now: number; readonly maxBytes: number },
): string[] {
  const newestFirst = recorded.toSorted((a, b) => b.finishedAt - a.finishedAt);
  let total = 0;
  return newestFirst
    .filter(({ finishedAt, bytes }, rank) => {
      total += bytes;
      return rank >= maxKeptTasks || now - finishedAt > maxKeptMs || (bytes > 0 && total > maxBytes);
    })
    .map(({ taskId }) => taskId);
}

/** Deletes a directory, also one in which a task has made directories read-only (package caches do). */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch {
    await promisify(execFile)("chmod", ["-R", "u+rwX", path]).catch(() => undefined);
    await rm(path, { recursive: true, force: true });
  }
}
