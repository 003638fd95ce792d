/** Brings what the master wants and what the host runs together: its messages become acts of the executor, the executor's reports go to it. */
import { withCrashPoint } from "../contract/crash-point.ts";
import { describeError } from "../contract/errors.ts";
import type { AgentMessage, MasterMessage } from "../contract/wire.ts";
import type { TaskReport } from "../contract/workload.ts";
import { type Executor, isFinished } from "./executor/executor.ts";
import type { Log } from "./log.ts";

export type TaskMessage = Extract<MasterMessage, { type: "run" | "stop" | "recorded" }>;

export interface ReconcilerOptions {
  readonly executor: Executor;
  /** False when there is no connection. */
  readonly send: (message: AgentMessage) => boolean;
  readonly log: Log;
  readonly now: () => number;
}

/** A finished report is told again after this long, until the master says that it is recorded. */
export const repeatAfterMs = 5000;

export interface Reconciler {
  /** Never rejects: one bad message must not hold up the others. */
  handle(message: TaskMessage): Promise<void>;
  /** To be called now and then. */
  repeatUnrecorded(): void;
}

export function reconciler({ executor, send, log, now }: ReconcilerOptions): Reconciler {
  const sentAt = new Map<string, number>();

  function tell(report: TaskReport): void {
    if (!isFinished(report)) {
      send({ type: "task", report });
      return;
    }
    sentAt.set(report.taskId, now());
    void withCrashPoint("task.report", () => send({ type: "task", report }));
  }

  executor.onReport(tell);
  return {
    async handle(message) {
      try {
        if (message.type === "run") await executor.start(message.task);
        else if (message.type === "stop") await executor.stop(message.taskId, message.graceMs, message.reason);
        else {
          sentAt.delete(message.taskId);
          await executor.recorded(message.taskId);
        }
      } catch (error) {
        log.error(`${message.type}: ${describeError(error)}`);
      }
    },
    repeatUnrecorded() {
      for (const report of overdueReports(executor.list(), sentAt, now())) tell(report);
    },
  };
}

/** The finished reports that were told long enough ago, or never. Pure. */
export function overdueReports(reports: readonly TaskReport[], sentAt: ReadonlyMap<string, number>, now: number): TaskReport[] {
  return reports.filter((report) => isFinished(report) && now - (sentAt.get(report.taskId) ?? Number.NEGATIVE_INFINITY) >= repeatAfterMs);
}
