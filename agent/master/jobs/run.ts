/** Tells an agent to run the assigned attempt of an index; only called when the assignment is durable. */
import type { Leader } from "../leader.ts";
import { activeAttempt, type PoolJob } from "../pool/pool.ts";

/** Sends nothing when the node is away (its next hello brings it up again) or the attempt has gone on meanwhile. */
export function sendRun(leader: Leader, job: PoolJob, position: number): void {
  const active = activeAttempt(job.indexes[position]);
  if (active?.state !== "assigned" || job.record.cancel !== undefined) return;
  const connection = leader.controls.get(active.node);
  if (connection === undefined || connection.sentRuns.has(active.taskId)) return;
  const { id, spec } = job.record;
  connection.sentRuns.add(active.taskId);
  connection.send({
    type: "run",
    task: {
      taskId: active.taskId,
      job: id,
      index: position,
      attempt: active.attempt,
      command: spec.command,
      env: spec.env,
      resources: spec.resources,
      graceMs: spec.graceMs,
      ...(spec.timeoutMs === undefined ? {} : { timeoutMs: spec.timeoutMs }),
    },
  });
}
