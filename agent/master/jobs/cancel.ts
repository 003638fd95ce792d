/** Cancels a job: what waits is cancelled at once, what runs is stopped with its grace and never tried again. */
import { assertWritable, inBackground, type Leader, tell, wakeJobWaiters } from "../leader.ts";
import { activeAttempt, type PoolJob, setCancelled } from "../pool/pool.ts";
import { endAttempt, tellJobFinished } from "./end-attempt.ts";

/** Resolves when the cancellation is durable. `graceMs` replaces the job's own grace. Nothing happens to a finished job. */
export async function cancelJob(
  leader: Leader,
  job: PoolJob,
  options: { readonly reason: string; readonly graceMs?: number },
): Promise<void> {
  if (job.record.finishedAt !== undefined) return leader.writer.settled();
  assertWritable(leader);
  const graceMs = options.graceMs ?? job.record.spec.graceMs;
  const before = { ...job.counts };
  const operations = setCancelled(leader.pool, job, { reason: options.reason, graceMs }, leader.clock.now());
  const finished = job.record.finishedAt !== undefined;
  await leader.writer.write("store.commit.job", operations);
  tell(leader, {
    kind: "job-cancelled",
    subject: `job/${job.record.id}`,
    message: `Job ${job.record.id} is cancelled: ${options.reason} (${before.pending} pending, ${before.active} active)`,
    data: { pending: before.pending, active: before.active, graceMs },
  });
  if (finished) tellJobFinished(leader, job);
  wakeJobWaiters(leader, job);
  for (const position of job.indexes.keys()) stopIndex(leader, job, position);
}

/** Stops the active attempt of a cancelled job's index, if there is one and its node can be told now. */
export function stopIndex(leader: Leader, job: PoolJob, position: number): void {
  const active = activeAttempt(job.indexes[position]);
  const cancel = job.record.cancel;
  if (active === undefined || cancel === undefined) return;
  const connection = leader.controls.get(active.node);
  // While the node is away nobody knows whether it has the task; its next hello tells.
  if (connection === undefined) return;
  if (active.state === "assigned" && !connection.sentRuns.has(active.taskId)) {
    inBackground(leader, `job/${job.record.id}`, () =>
      endAttempt(leader, job, position, { state: "cancelled", reason: `cancelled before it was started: ${cancel.reason}` }),
    );
    return;
  }
  connection.send({ type: "stop", taskId: active.taskId, graceMs: cancel.graceMs, reason: cancel.reason });
}
