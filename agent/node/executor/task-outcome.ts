/** How an attempt ended, as a report with a sentence; pure. */
import { describeError } from "../../contract/errors.ts";
import type { TaskReport } from "../../contract/workload.ts";
import type { FinishedState } from "./executor.ts";
import type { StopIntent } from "./task-directory.ts";

export type Ending = Pick<TaskReport, "exitCode" | "fault"> & { state: FinishedState; reason: string };

const killedExitCode = 137;

/** The command ended with a code. A stop that was asked for decides the state, whatever code the command answers it with. */
export function endedWithCode(exitCode: number, stop: StopIntent | undefined, missingCommand: string | undefined): Ending {
  if (stop !== undefined) return { state: stop.state, exitCode, reason: `stopped: ${stop.reason}` };
  if (exitCode === 0) return { state: "succeeded", exitCode, reason: "exited with 0" };
  if ((exitCode === 127 || exitCode === 126) && missingCommand !== undefined) return { state: "failed", exitCode, reason: missingCommand };
  const signal = exitCode - 128;
  return { state: "failed", exitCode, reason: signal > 0 && signal <= 64 ? `killed by signal ${signal}` : `exited with ${exitCode}` };
}

/** The kernel ended it because memory ran out: its own limit, or the host. */
export function endedOutOfMemory(exitCode: number, memoryMiB: number): Ending {
  const asked = memoryMiB === 0 ? "" : `; it asked for ${memoryMiB} MiB`;
  return { state: "failed", exitCode, reason: `killed by the kernel because memory ran out (oom-kill)${asked}` };
}

/** Its host went down under it. */
export function cutOff(rebooted: boolean): Ending {
  return { state: "lost", reason: rebooted ? "the host was rebooted" : "the host was shut down" };
}

/** The host could not bring it as far as its command. */
export function neverBegan(reason: string): Ending {
  return { state: "lost", fault: "node", reason };
}

/** Its processes are gone and left no code. */
export function endedWithoutCode(facts: { stop: StopIntent | undefined; started: boolean; rebooted: boolean }): Ending {
  const { stop, started, rebooted } = facts;
  if (stop !== undefined) {
    if (!started) return { state: stop.state, reason: `stopped before it started: ${stop.reason}` };
    return { state: stop.state, exitCode: killedExitCode, reason: `stopped: ${stop.reason}` };
  }
  if (rebooted) return started ? cutOff(true) : { state: "lost", reason: "the host was rebooted before it started" };
  if (started) return { state: "lost", reason: "its processes vanished" };
  return { state: "lost", fault: "node", reason: "its supervisor vanished before it started" };
}

/** What the command or its environment makes the operating system refuse on any host: too long, or not a text at all. */
const faultsOfTheTask = new Set(["E2BIG", "ERR_INVALID_ARG_VALUE", "ERR_INVALID_ARG_TYPE"]);

/** It never began. A disk that is full or broken, or no process to be had, is this node's fault and not the task's: another node may run it. */
export function couldNotStart(what: string, error: unknown): Ending {
  const code = error instanceof Error && "code" in error ? String(error.code) : undefined;
  const reason = `${what}: ${describeError(error)}`;
  if (code === undefined || faultsOfTheTask.has(code)) return { state: "failed", reason };
  return { state: "lost", fault: "node", reason };
}
