/** Ends the current attempt of an index in memory and in the store, then tells it: the only way an attempt ends. */
import { formatDuration } from "../../contract/quantities.ts";
import type { Attempt } from "../../contract/workload.ts";
import { type Leader, tell, wakeJobWaiters } from "../leader.ts";
import { activeAttempt, indexAt, jobStateOf, type PoolIndex, type PoolJob, setIndex } from "../pool/pool.ts";
import { jobView } from "../pool/views.ts";
import { type AfterAttempt, afterAttempt, backOffMs } from "./retry.ts";

export interface Ending {
  readonly state: "succeeded" | "failed" | "cancelled" | "lost";
  readonly reason?: string | undefined;
  readonly exitCode?: number | undefined;
  /** ms since the epoch; now, when left out. */
  readonly finishedAt?: number | undefined;
  readonly startedAt?: number | undefined;
  /** With `lost`: the host could not start it. */
  readonly fault?: "node" | undefined;
}

/** Agents' reasons are kept to this length. */
const maxReasonLength = 500;
/** An index's record has to fit in the store, however long its story: reasons of older attempts are shortened … */
const wholeReasons = 20;
const oldReasonLength = 80;
/** … and of those that count for nothing only the newest are kept. */
const maxNodeFaults = 20;

/** Resolves when the end is durable. Throws when the index has no active attempt (a bug of the caller). */
export async function endAttempt(leader: Leader, job: PoolJob, position: number, ending: Ending): Promise<void> {
  const index = indexAt(job, position);
  const active = activeAttempt(index);
  if (active === undefined) throw new Error(`index ${position} of job ${job.record.id} has no active attempt`);
  const now = leader.clock.now();
  const ended: Attempt = {
    ...active,
    state: ending.state,
    finishedAt: ending.finishedAt ?? now,
    ...(ending.startedAt === undefined ? {} : { startedAt: ending.startedAt }),
    ...(ending.exitCode === undefined ? {} : { exitCode: ending.exitCode }),
    reason: (ending.reason ?? endText(ending)).slice(0, maxReasonLength),
    ...(ending.fault === undefined ? {} : { fault: ending.fault }),
  };
  const attempts = boundedAttempts([...index.attempts.slice(0, -1), ended]);
  const after = afterAttempt(job.record.spec, attempts, job.record.cancel !== undefined);
  const waitMs = after.state === "pending" ? backOffMs(attempts) : 0;
  const operations = setIndex(leader.pool, job, position, { state: after.state, attempts, backOffMs: waitMs || undefined }, now);
  if (waitMs > 0) endBackOff(leader, index, attempts, waitMs);
  const finished = operations.length > 1;
  leader.controls.get(active.node)?.sentRuns.delete(active.taskId);
  await leader.writer.write("store.commit.report", operations);
  tellEnd(leader, job, position, ended, after);
  if (finished) tellJobFinished(leader, job);
  wakeJobWaiters(leader, job);
  leader.requestRound();
}

/** Lets the index be placed when its time has come, unless it went another way meanwhile. */
function endBackOff(leader: Leader, index: PoolIndex, attempts: readonly Attempt[], waitMs: number): void {
  leader.clock.after(waitMs, () => {
    if (index.attempts !== attempts) return;
    index.backOffMs = undefined;
    leader.requestRound();
  });
}

/** The same story in at most about 150 KiB, whatever agents say. */
export function boundedAttempts(attempts: readonly Attempt[]): Attempt[] {
  let faults = attempts.filter(({ fault }) => fault === "node").length;
  const kept = attempts.filter(({ fault }) => fault !== "node" || faults-- <= maxNodeFaults);
  return kept.map((attempt, position) => (position >= kept.length - wholeReasons ? attempt : { ...attempt, ...shortened(attempt.reason) }));
}

function shortened(reason: string | undefined): { reason?: string } {
  return reason === undefined ? {} : { reason: reason.slice(0, oldReasonLength) };
}

export function tellJobFinished(leader: Leader, job: PoolJob): void {
  const { id, spec, submittedAt, finishedAt = submittedAt } = job.record;
  const state = jobStateOf(job);
  tell(leader, {
    kind: "job-finished",
    subject: `job/${id}`,
    message: `Job ${id} ${state} after ${formatDuration(finishedAt - submittedAt)}: ${jobView(job).reason}`,
    data: { state, counts: { ...job.counts }, count: spec.count },
  });
}

function tellEnd(leader: Leader, job: PoolJob, position: number, ended: Attempt, after: AfterAttempt): void {
  const { id } = job.record;
  const data = {
    index: position,
    attempt: ended.attempt,
    node: ended.node,
    state: ended.state,
    ...(ended.exitCode === undefined ? {} : { exitCode: ended.exitCode }),
    reason: ended.reason,
    next: after.state,
  };
  const head = `Task ${ended.taskId} on node ${ended.node}`;
  tell(leader, { kind: "task-finished", subject: `job/${id}`, message: `${head} ${ended.state}: ${ended.reason}`, data });
  if (after.state === "pending") {
    tell(leader, {
      kind: "task-retried",
      subject: `job/${id}`,
      message: `Index ${position} of job ${id} is ${after.because}: ${ended.reason}`,
      data,
    });
  } else if (after.state === "failed") {
    tell(leader, {
      kind: "task-given-up",
      subject: `job/${id}`,
      message: `Index ${position} of job ${id} failed, ${after.because}: ${ended.reason}`,
      data,
    });
  }
}

function endText(ending: Ending): string {
  if (ending.exitCode !== undefined) return `exit code ${ending.exitCode}`;
  return ending.state;
}
