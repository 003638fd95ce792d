/**
 * The contract between the agent and whatever runs tasks on its host. test/contract/executor.*.contract.ts hold
 * every executor to it. Tasks outlive the executor object and the agent: dropping it stops nothing.
 */
import type { LogChannel } from "../../contract/wire.ts";
import type { TaskReport, TaskSpec } from "../../contract/workload.ts";

export interface Executor {
  /**
   * Starts an attempt, once: for an id it knows already, whatever became of it, it only reports again. Resolves when the
   * attempt runs or has failed to start (that is a report, not a rejection). Rejects on an id that is not a task's.
   */
  start(spec: TaskSpec): Promise<void>;

  /**
   * Asks an attempt to end: TERM to all its processes, after `graceMs` (without: the task's own) KILL to what is left. Resolves when the wish is
   * durable and TERM is sent; a report of its end follows. An attempt that has ended is reported again, an unknown one as lost.
   */
  stop(taskId: string, graceMs: number | undefined, reason: string): Promise<void>;

  /** Stops every attempt, each with its own grace, also one whose start still waits for its turn. Resolves when none is left. */
  stopAll(reason: string): Promise<void>;

  /**
   * Every attempt it knows: running, stopping, or finished and not yet recorded. One whose start still waits is not in it:
   * a master that misses it sends it again, which changes nothing.
   */
  list(): TaskReport[];

  /** The master has the finished report: no need to repeat it. The output is kept a while for logs. */
  recorded(taskId: string): Promise<void>;

  /** Calls on each change of an attempt. Returns the way to stop listening. */
  onReport(listener: (report: TaskReport) => void): () => void;

  /** Once, before anything else: takes over what a former executor left, running or finished, and starts what it had only noted. */
  readopt(): Promise<void>;

  /** Where an attempt's output is; undefined for one it does not know (any more). */
  output(taskId: string): TaskOutput | undefined;

  /** Stops watching. Tasks go on. */
  close(): void;
}

export interface TaskOutput {
  /** Holds both files; they only grow, and may not be there yet. What was cut at their beginning stays as a hole. */
  readonly directory: string;
  readonly files: Readonly<Record<LogChannel, string>>;
  /** How many bytes of the channel's beginning are no longer there. */
  cutOf(channel: LogChannel): number;
  /** Whether nothing will be added any more. */
  finished(): boolean;
}

export type FinishedState = "succeeded" | "failed" | "cancelled" | "lost";

/** Whether a report is an attempt's last. */
export function isFinished(report: TaskReport): report is TaskReport & { state: FinishedState } {
  return report.state !== "running" && report.state !== "stopping";
}
