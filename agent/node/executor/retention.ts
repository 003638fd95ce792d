/** What is kept of recorded attempts, for their logs: the newest few hundred, for a day. */
import { execFile } from "node:child_process";
import { rm } from "node:fs/promises";
import { promisify } from "node:util";

export const maxKeptTasks = 500;
export const maxKeptMs = 24 * 3_600_000;

/** The ids to delete of recorded attempts. Pure. */
export function expiredTasks(recorded: readonly { taskId: string; finishedAt: number }[], now: number): string[] {
  const newestFirst = [...recorded].sort((a, b) => b.finishedAt - a.finishedAt);
  return newestFirst.filter(({ finishedAt }, rank) => rank >= maxKeptTasks || now - finishedAt > maxKeptMs).map(({ taskId }) => taskId);
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
