/** The contract between an attempt, which is the same everywhere, and how its command becomes processes on this host. */
import type { TaskSpec } from "../../contract/workload.ts";
import type { Started, TaskDirectory } from "./task-directory.ts";

export interface Launcher {
  /**
   * Begins the command, once ever, whoever else tries. Resolves with the time it began, in ms since the epoch.
   * Rejects when it has not begun and never will.
   */
  start(): Promise<number>;

  /** Calls `changed` on what may be its end: for an attempt that a former agent has begun. */
  watch(): void;

  /** Whether something of it runs, or is about to. Not asked about an attempt from before a reboot. */
  isAlive(started: Started | undefined): Promise<boolean>;

  /** To all its processes; again and again does no harm. */
  signal(name: "SIGTERM" | "SIGKILL"): Promise<void>;

  /** What the line in the result file says; undefined when it says nothing, as after a power loss. */
  readEnd(line: string): CommandEnd | undefined;

  /** Ends processes that outlived whatever watched over them. */
  killLeftovers(started: Started): void;

  /** Where the kernel holds a task to no limit: a sentence when it uses more than it asked for. */
  excess?(): Promise<string | undefined>;

  /** Stops watching; the task goes on. */
  close(): void;
}

export type CommandEnd =
  | { readonly begun: true; readonly exitCode: number; readonly cause?: "out-of-memory" | "shutdown" }
  /** The host failed before the command was run. */
  | { readonly begun: false; readonly reason: string };

export interface LauncherOptions {
  readonly task: TaskSpec;
  readonly directory: TaskDirectory;
  /** To be called when the attempt may have ended. */
  readonly changed: () => void;
}

/** One way to run commands on this host. */
export interface LaunchMethod {
  launcher(options: LauncherOptions): Launcher;
  /** The latch is on disk before the command begins: after a power loss an attempt without one is known never to have begun. */
  readonly latchIsDurable: boolean;
}
