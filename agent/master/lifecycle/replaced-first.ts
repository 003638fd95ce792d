/**
 * Which tasks of machines that their clouds take away run on for a while: those that fit nowhere else, while a machine for them is
 * bought, where the notice is long enough for that. All others are evicted at once, so that what is left of the notice is theirs
 * to begin elsewhere.
 */

import { parseTaskId } from "../../contract/workload.ts";
import { blockedBy, leaseMs, offersOf } from "../burst/burster.ts";
import { nodesLimit } from "../burst/limits.ts";
import { soonestRule } from "../burst/rule.ts";
import type { Leader } from "../leader.ts";
import { activeAttempt, type PoolJob, type PoolNode } from "../pool/pool.ts";
import { type PendingJob, place, placeDefaults } from "../scheduler/place.ts";
import { pendingJobs, pendingOf, takeSnapshot } from "../scheduler/snapshot.ts";
import { graceWithin, reclaimOf } from "./notice-state.ts";

/** Until a plan has been made and applied. */
const decisionMs = 5000;
/** Kept free before the cloud's hour, so that the agent has heard that a task is to stop when its grace begins. */
const marginMs = 5000;

interface LeavingTask {
  readonly taskId: string;
  readonly job: PoolJob;
  readonly index: number;
  /** ms since the epoch: since when its node is taken away. */
  readonly heardAt: number;
}

/** The tasks that run on now, by their nodes; nodes without such a task are not there. */
export function replacedFirst(leader: Leader): ReadonlyMap<string, readonly LeavingTask[]> {
  const candidates = new Map<string, LeavingTask[]>();
  for (const node of leader.pool.nodes.values()) {
    const tasks = reclaimOf(node.record) === undefined ? [] : tasksOf(leader, node).filter((task) => mayRunOn(leader, node, task));
    if (tasks.length > 0) candidates.set(node.record.name, tasks);
  }
  if (candidates.size === 0) return candidates;
  const hasRoom = roomFor(leader, [...candidates.values()].flat());
  const kept = [...candidates].map(([name, tasks]) => [name, tasks.filter((task) => !hasRoom(task))] as const);
  return new Map(kept.filter(([, tasks]) => tasks.length > 0));
}

/** What waits, and beside it what will have to: a machine is bought for both. */
export function withReplacedFirst(leader: Leader, pending: readonly PendingJob[]): PendingJob[] {
  return withLeaving(pending, [...replacedFirst(leader).values()].flat());
}

function withLeaving(pending: readonly PendingJob[], leaving: readonly LeavingTask[]): PendingJob[] {
  const waiting = new Map(pending.map((one) => [one.job, one]));
  for (const { job, index, heardAt } of leaving) {
    const { indexes, waitingSince } = waiting.get(job.record.id) ?? { indexes: [], waitingSince: heardAt };
    waiting.set(
      job.record.id,
      pendingOf(
        job,
        [...indexes, index].toSorted((a, b) => a - b),
        Math.min(waitingSince, heardAt),
      ),
    );
  }
  return [...waiting.values()];
}

function tasksOf({ pool }: Leader, node: PoolNode): LeavingTask[] {
  const heardAt = reclaimOf(node.record)?.heardAt ?? 0;
  return [...node.tasks].flatMap((taskId) => {
    const parsed = parseTaskId(taskId);
    const job = pool.jobs.get(parsed?.job ?? "");
    // One that is cancelled needs no machine any more.
    if (
      parsed === undefined ||
      job === undefined ||
      job.record.cancel !== undefined ||
      activeAttempt(job.indexes[parsed.index])?.taskId !== taskId
    )
      return [];
    return [{ taskId, job, index: parsed.index, heardAt }];
  });
}

/** Whether a machine for it can be there in time, and is not given up yet. */
function mayRunOn(leader: Leader, node: PoolNode, { job, heardAt }: LeavingTask): boolean {
  const { pool, clock } = leader;
  const reclaim = reclaimOf(node.record);
  const { id, spec } = job.record;
  const now = clock.now();
  if (reclaim === undefined) return false;
  const lastMoment = reclaim.at - graceWithin(spec.graceMs, reclaim, heardAt) - marginMs;
  if (now >= lastMoment) return false;
  if (isBought(leader, id) || mayBeHeardYet(leader)) return true;
  const { maxNodes, rules } = pool.burstPolicy ?? { maxNodes: 0, rules: [] };
  const rule = soonestRule(spec.priority, { rules });
  if (rule === undefined || blockedBy(leader) !== undefined) return false;
  const { use, pendingForMs } = rule;
  const launches = offersOf(leader)
    .filter(({ burstPool }) => use === "cheapest" || use.includes(burstPool))
    .map(({ expectedSeconds }) => Object.values(expectedSeconds).reduce((sum, seconds) => sum + seconds, 0) * 1000);
  const decidedAt = heardAt + pendingForMs + decisionMs;
  if (now >= decidedAt || decidedAt + Math.min(...launches) > lastMoment) return false;
  return nodesLimit([...pool.bursts.values()], { maxNodes }, 1) === undefined;
}

/** A master that has just started has not heard its burster yet: what is bought then is not known. */
function mayBeHeardYet({ pool, bursting, clock }: Leader): boolean {
  return pool.burstPolicy !== undefined && bursting.burster === undefined && clock.monotonic() - bursting.startedAt < leaseMs;
}

/** Whether a machine is on its way that was bought for this job. */
function isBought({ pool }: Leader, job: string): boolean {
  for (const row of pool.bursts.values())
    if ((row.state === "intent" || row.state === "launching") && row.for.some((one) => one.job === job)) return true;
  return false;
}

/** By the scheduler's own rules, after all that goes before them. */
function roomFor(leader: Leader, tasks: readonly LeavingTask[]): (task: LeavingTask) => boolean {
  const pending = withLeaving(pendingJobs(leader, placeDefaults.maxPlacements), tasks);
  const { placements } = place(takeSnapshot(leader), pending, leader.clock.now());
  const placed = new Set(placements.map(({ job, index }) => `${job} ${index}`));
  return ({ job, index }) => placed.has(`${job.record.id} ${index}`);
}
