/** The teardown latch: once it is set nothing is started, rescheduled or bought, what waits is cancelled, what runs is stopped, what was bought goes. */
import { windDown } from "../burst/wind-down.ts";
import { assertWritable, type Leader, tell } from "../leader.ts";
import { type ClosingRecord, closingKey } from "../pool/records.ts";
import { closingView } from "../pool/views.ts";
import { cancelJob } from "./cancel.ts";

/** Resolves when the latch and all cancellations are durable. May be called again, with another grace. */
export async function close(leader: Leader, options: { readonly graceMs: number; readonly reason: string }): Promise<void> {
  assertWritable(leader);
  const first = leader.pool.closing === undefined;
  const record: ClosingRecord = { at: leader.pool.closing?.at ?? leader.clock.now(), ...options };
  leader.pool.closing = record;
  await leader.writer.write("store.commit.meta", [{ put: { key: closingKey, value: record } }]);
  if (first) {
    const { activeTasks, pendingTasks } = closingView(leader.pool);
    tell(leader, {
      kind: "closing",
      subject: "environment",
      message: `The environment is closing (${options.reason}): ${activeTasks} active tasks are stopped, ${pendingTasks} pending ones cancelled`,
      data: { activeTasks, pendingTasks, graceMs: options.graceMs },
    });
  }
  await Promise.all([cancelAll(leader), windDown(leader)]);
}

/** Cancels every unfinished job; also after a restart, when the latch was set but the cancellations were cut short. */
export async function cancelAll(leader: Leader): Promise<void> {
  const { closing } = leader.pool;
  if (closing === undefined) return;
  const open = [...leader.pool.jobs.values()].filter((job) => job.record.finishedAt === undefined);
  await Promise.all(open.map((job) => cancelJob(leader, job, { reason: closing.reason, graceMs: closing.graceMs })));
}

/** Takes the latch away: new jobs are accepted again. What was cancelled stays cancelled. */
export async function reopen(leader: Leader): Promise<void> {
  assertWritable(leader);
  if (leader.pool.closing === undefined) return;
  leader.pool.closing = undefined;
  await leader.writer.write("store.commit.meta", [{ delete: closingKey }]);
  tell(leader, { kind: "reopened", subject: "environment", message: "The environment takes jobs again" });
  leader.bursting.requestPlan();
}
