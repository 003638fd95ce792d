/**
 * Runs scheduling rounds when something has changed: decide on a snapshot, write the assignments, then send them to the
 * agents. Many changes make one round, and rounds leave at least three quarters of the time to everything else.
 */
import { type Attempt, taskIdOf } from "../../contract/workload.ts";
import { noteUse } from "../burst/facts.ts";
import { sendRun } from "../jobs/run.ts";
import { inBackground, type Leader, tell, wakeJobWaiters } from "../leader.ts";
import { evictDue } from "../lifecycle/cordon-drain.ts";
import { indexAt, type PoolJob, setIndex } from "../pool/pool.ts";
import { type Placement, place, placeDefaults, type Rejection } from "./place.ts";
import { pendingJobs, takeSnapshot } from "./snapshot.ts";

/** The longest a change waits for its round when rounds are long. */
const maxPauseMs = 50;
const pauseFactor = 3;
/** A waiting job may become due for a reservation without anything having changed. */
const idleRoundMs = 5000;
const maxReasonsTold = 10;
const maxNodesTold = 10;

/** Makes `leader.requestRound` work; returns how to end it. */
export function startRounds(leader: Leader): () => void {
  let scheduled = false;
  let stopped = false;
  let pauseUntil = 0;

  function round(): void {
    scheduled = false;
    if (stopped) return;
    const begun = performance.now();
    const more = runRound(leader);
    const ended = performance.now();
    pauseUntil = ended + Math.min(maxPauseMs, (ended - begun) * pauseFactor);
    if (more) request();
    else leader.bursting.requestPlan();
  }

  function request(): void {
    if (scheduled || stopped) return;
    scheduled = true;
    const pauseMs = pauseUntil - performance.now();
    if (pauseMs <= 0) setImmediate(round);
    else setTimeout(round, pauseMs);
  }

  leader.requestRound = request;
  const cancelIdle = leader.clock.every(idleRoundMs, request);
  return () => {
    stopped = true;
    cancelIdle();
  };
}

/** One round; returns whether its bound was reached. */
export function runRound(leader: Leader): boolean {
  const { pool } = leader;
  // What runs on until it has room takes part in the round that gives it away.
  evictDue(leader);
  if (pool.pending.size === 0 || pool.closing !== undefined || leader.writer.fault() !== undefined) return false;
  const result = place(takeSnapshot(leader), pendingJobs(leader, placeDefaults.maxPlacements), leader.clock.now());
  for (const placement of result.placements) {
    const job = pool.jobs.get(placement.job);
    if (job !== undefined) inBackground(leader, `job/${placement.job}`, () => assign(leader, job, placement));
  }
  for (const { job: id, rejections } of result.unplaced) {
    const job = pool.jobs.get(id);
    if (job === undefined) continue;
    if (job.rejections.length === 0) tellWaiting(leader, job, rejections);
    job.rejections = rejections;
  }
  return result.more;
}

/** Memory changes before the first await, so that the next round knows of it. */
async function assign(leader: Leader, job: PoolJob, placement: Placement): Promise<void> {
  const { id } = job.record;
  const index = indexAt(job, placement.index);
  if (index.state !== "pending" || index.backOffMs !== undefined) return;
  const now = leader.clock.now();
  const attemptNumber = (index.attempts.at(-1)?.attempt ?? 0) + 1;
  const attempt: Attempt = {
    attempt: attemptNumber,
    taskId: taskIdOf(id, placement.index, attemptNumber),
    node: placement.node,
    state: "assigned",
    assignedAt: now,
  };
  const operations = setIndex(leader.pool, job, placement.index, { state: "active", attempts: [...index.attempts, attempt] }, now);
  // Kept while others of the job wait: that they do is told once, not after each placement.
  if (job.counts.pending === 0) job.rejections = [];
  noteUse(leader, placement.node);
  await leader.writer.write("store.commit.placement", operations);
  sendRun(leader, job, placement.index);
  tell(leader, {
    kind: "task-placed",
    subject: `job/${id}`,
    message: `Task ${attempt.taskId} was given to node ${placement.node}: of ${placement.candidates} it fits on, the one it fills best (${Math.round(placement.leftover * 100)} % left)`,
    data: {
      index: placement.index,
      attempt: attemptNumber,
      node: placement.node,
      leftover: placement.leftover,
      candidates: placement.candidates,
      candidateNames: placement.candidateNames,
      ...(placement.rejections === undefined ? {} : { rejected: boundedRejections(placement.rejections) }),
    },
  });
  wakeJobWaiters(leader, job);
}

/** Rejections as they fit in an event: the reasons, how many nodes for each, and some of their names. */
function boundedRejections(rejections: readonly Rejection[]) {
  return rejections.slice(0, maxReasonsTold).map(({ reason, nodes, detail }) => ({
    reason,
    count: nodes.length,
    nodes: nodes.slice(0, maxNodesTold),
    ...(detail === undefined ? {} : { detail }),
  }));
}

function tellWaiting(leader: Leader, job: PoolJob, rejections: PoolJob["rejections"]): void {
  tell(leader, {
    kind: "job-waits",
    subject: `job/${job.record.id}`,
    message: `Job ${job.record.id} waits: no node can take ${job.counts.pending === 1 ? "its task" : "more of its tasks"} now`,
    data: { rejections: boundedRejections(rejections) },
  });
}
