/**
 * What agents report about attempts. A report counts only for the current attempt of its index, on the node it was given
 * to, and while that attempt has not ended: so each index gets exactly one recorded success. `recorded` is sent only when
 * the end is durable.
 */
import { parseTaskId, type TaskReport } from "../../contract/workload.ts";
import { type Leader, tell, wakeJobWaiters } from "../leader.ts";
import type { ControlConnection } from "../lifecycle/connection.ts";
import { pauseNode } from "../lifecycle/pause.ts";
import { activeAttempt, type PoolJob, setIndex } from "../pool/pool.ts";
import { endAttempt } from "./end-attempt.ts";

/** The grace of a copy whose job is no longer known. */
const defaultGraceMs = 10_000;

/** Resolves when the report is durable and answered. */
export async function takeReport(leader: Leader, connection: ControlConnection, report: TaskReport): Promise<void> {
  const found = currentAttempt(leader, connection.node, report.taskId);
  if (found === undefined) return refuseStale(leader, connection, report);
  const { job, position } = found;
  if (report.state === "running" || report.state === "stopping") {
    await noteRunning(leader, job, position, report);
    return;
  }
  const fault = report.state === "lost" ? report.fault : undefined;
  if (fault === "node") pauseNode(leader, connection.node, report.taskId, report.reason ?? "no reason was given");
  await endAttempt(leader, job, position, {
    state: report.state,
    fault,
    reason: report.reason,
    exitCode: report.exitCode,
    startedAt: report.startedAt,
    finishedAt: report.finishedAt,
  });
  connection.send({ type: "recorded", taskId: report.taskId });
}

/** The job and index of a task that is the current, active attempt on this node. */
export function currentAttempt(leader: Leader, node: string, taskId: string): { job: PoolJob; position: number } | undefined {
  const parsed = parseTaskId(taskId);
  const job = parsed === undefined ? undefined : leader.pool.jobs.get(parsed.job);
  if (parsed === undefined || job === undefined) return undefined;
  const active = activeAttempt(job.indexes[parsed.index]);
  return active?.taskId === taskId && active.node === node ? { job, position: parsed.index } : undefined;
}

async function noteRunning(leader: Leader, job: PoolJob, position: number, report: TaskReport): Promise<void> {
  const index = job.indexes[position];
  const active = activeAttempt(index);
  if (index === undefined || active === undefined || active.state === report.state) return;
  // A task that is being stopped does not go back to running.
  if (active.state === "stopping") return;
  const started = active.state === "assigned";
  const now = leader.clock.now();
  const attempt = {
    ...active,
    state: report.state === "stopping" ? ("stopping" as const) : ("running" as const),
    startedAt: active.startedAt ?? report.startedAt ?? now,
  };
  const operations = setIndex(leader.pool, job, position, { state: "active", attempts: [...index.attempts.slice(0, -1), attempt] }, now);
  await leader.writer.write("store.commit.report", operations);
  if (started) {
    tell(leader, {
      kind: "task-started",
      subject: `job/${job.record.id}`,
      message: `Task ${active.taskId} runs on node ${active.node}`,
      data: { index: position, attempt: active.attempt, node: active.node, startedAt: attempt.startedAt },
    });
  }
  wakeJobWaiters(leader, job);
}

/** A copy nobody wants any more: one that runs is stopped, one that has ended is told to be forgotten. */
async function refuseStale(leader: Leader, connection: ControlConnection, report: TaskReport): Promise<void> {
  const job = leader.pool.jobs.get(parseTaskId(report.taskId)?.job ?? "");
  if (report.state === "running" || report.state === "stopping") {
    if (report.state === "stopping") return;
    const graceMs = job?.record.spec.graceMs ?? defaultGraceMs;
    connection.send({ type: "stop", taskId: report.taskId, graceMs, reason: "this copy is no longer wanted" });
    return;
  }
  // The end that made this report stale may still be on its way to the disk.
  await leader.writer.settled();
  const known = job?.indexes[parseTaskId(report.taskId)?.index ?? -1]?.attempts.find((attempt) => attempt.taskId === report.taskId);
  if (known !== undefined && known.state !== report.state) {
    tell(leader, {
      kind: "task-report-ignored",
      subject: `job/${job?.record.id}`,
      message: `Node ${connection.node} reports that task ${report.taskId} ${report.state}, but it had been given up (${known.reason ?? known.state}); that does not count`,
      data: { node: connection.node, taskId: report.taskId, state: report.state, recorded: known.state },
    });
  }
  connection.send({ type: "recorded", taskId: report.taskId });
}
