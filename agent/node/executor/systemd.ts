/** The executor for hosts that systemd runs: each attempt a transient unit in spillway.slice, which outlives the agent. Needs root and systemd 247. */
import { installLayout } from "../../contract/install-layout.ts";
import type { Executor } from "./executor.ts";
import { systemdLaunch } from "./systemd-launch.ts";
import { type TaskExecutorOptions, taskExecutor } from "./task-executor.ts";

export interface SystemdExecutorOptions extends TaskExecutorOptions {
  /** Whether the kernel ends a task that uses more memory than it asked for; if not, the agent does. */
  readonly memoryIsEnforced: boolean;
}

export function systemdExecutor(options: SystemdExecutorOptions): Executor {
  const hidden = [options.stateDir, ...installLayout("").owned];
  return taskExecutor(options, systemdLaunch({ node: options.node, memoryIsEnforced: options.memoryIsEnforced, hidden }));
}
