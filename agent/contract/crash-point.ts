/**
 * Named places where a process may die. What changes the world goes through a few wrappers, whose first argument is a
 * name of this list; a test kills the process at each (`SPILLWAY_CRASH_AT=<name>:before|after`, once per marker file).
 */
import { existsSync, writeFileSync } from "node:fs";

export const crashPoints = [
  // providers/local
  "machine.directory",
  "machine.start",
  "machine.stop",
  "machine.delete",
  // providers/aws, providers/azure
  "cloud.start",
  "cloud.delete",
  "cloud.sweep",
  // bootstrap, over SSH
  "remote.upload",
  "remote.install",
  "remote.start",
  "remote.join",
  "remote.stop",
  "remote.remove",
  "remote.host-key",
  "remote.retire-seed",
  "rollout.flip",
  "rollout.revert",
  // stacks
  "context.write",
  "context.delete",
  "guard.close",
  "guard.ledger",
  "node.declare",
  "node.forget",
  "burster.config",
  "burster.start",
  "burster.stop",
  "burster.forget",
  "burst.policy",
  "burst.launch",
  "burst.apply",
  "burst.launched",
  "burst.destroy",
  "burst.remove-stack",
  "burst.gone",
  "burst.sweep",
  // master
  "store.commit.node",
  "store.commit.job",
  "store.commit.placement",
  "store.commit.report",
  "store.commit.token",
  "store.commit.meta",
  "store.commit.burst",
  // agent
  "task.spec",
  "task.start",
  "task.stop",
  "task.report",
  "task.forget",
  "dead-man.end",
] as const;
export type CrashPoint = (typeof crashPoints)[number];

/**
 * Kills this process with SIGKILL when the environment asks for it here. `SPILLWAY_CRASH_MARKER` names a file that is
 * made just before, so that the next run of the same process passes.
 */
function maybeCrash(point: CrashPoint, moment: "before" | "after"): void {
  if (process.env.SPILLWAY_CRASH_AT !== `${point}:${moment}`) return;
  const marker = process.env.SPILLWAY_CRASH_MARKER;
  if (marker !== undefined) {
    if (existsSync(marker)) return;
    writeFileSync(marker, point);
  }
  process.kill(process.pid, "SIGKILL");
}

/** Runs an act that changes the world; the test harness can end the process just before or just after it. */
export async function withCrashPoint<T>(point: CrashPoint, act: () => T | Promise<T>): Promise<T> {
  maybeCrash(point, "before");
  const result = await act();
  maybeCrash(point, "after");
  return result;
}
