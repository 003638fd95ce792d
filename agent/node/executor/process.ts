/** The executor for hosts without systemd: each attempt a process group under task-supervisor.sh, which outlives the agent. */
import type { Executor } from "./executor.ts";
import { type ProcessHost, processLaunch } from "./process-launch.ts";
import { type TaskExecutorOptions, taskExecutor } from "./task-executor.ts";

export interface ProcessExecutorOptions extends TaskExecutorOptions, ProcessHost {}

export function processExecutor(options: ProcessExecutorOptions): Executor {
  return taskExecutor(options, processLaunch(options));
}
