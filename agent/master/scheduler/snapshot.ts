/** What the scheduler decides on, taken from the pool in memory. */
import { noResources, subtractResources } from "../../contract/resources.ts";
import type { Leader } from "../leader.ts";
import { burstOf, unavailability } from "../lifecycle/cordon-state.ts";
import { pauseReason } from "../lifecycle/pause.ts";
import { capacityOf, type PoolIndex, type PoolJob, type PoolNode } from "../pool/pool.ts";
import type { PendingJob, Snapshot, SnapshotNode } from "./place.ts";

export function takeSnapshot(leader: Leader): Snapshot {
  return { nodes: [...leader.pool.nodes.values()].map((node) => snapshotNode(leader, node)) };
}

/** Every job with a pending index that may be placed now, with at most `maxIndexes` of them. */
export function pendingJobs(leader: Leader, maxIndexes: number): PendingJob[] {
  return [...leader.pool.pending].map((job) => pendingJob(job, maxIndexes)).filter(({ indexes }) => indexes.length > 0);
}

function snapshotNode(leader: Leader, node: PoolNode): SnapshotNode {
  const { name, declaration } = node.record;
  const capacity = capacityOf(node.record) ?? noResources;
  // A ready node whose connection was just cut would only get the task when it is back.
  const unavailable = node.state !== "ready" ? node.state : leader.controls.has(name) ? undefined : "not connected";
  // The drain last: where it is the only reason, the planner may end it and use the node again.
  const why = unavailable ?? pauseReason(node, leader.clock.now()) ?? unavailability(node, burstOf(leader.pool, node));
  return {
    name,
    pool: declaration.pool,
    capacity,
    free: subtractResources(capacity, node.used),
    tasks: node.tasks.size,
    ...(why === undefined ? {} : { unavailable: why }),
  };
}

function pendingJob(job: PoolJob, maxIndexes: number): PendingJob {
  const indexes: number[] = [];
  for (const [position, index] of job.indexes.entries()) {
    if (index.state !== "pending" || index.backOffMs !== undefined) continue;
    indexes.push(position);
    if (indexes.length >= maxIndexes) break;
  }
  return pendingOf(job, indexes, waitingSince(job.indexes[indexes[0] ?? 0], job.record.submittedAt));
}

/** Indexes of a job as the scheduler looks at them; `since`: ms since the epoch. */
export function pendingOf({ record: { id, seq, spec } }: PoolJob, indexes: readonly number[], since: number): PendingJob {
  return {
    job: id,
    seq,
    priority: spec.priority,
    resources: spec.resources,
    ...(spec.nodePool === undefined ? {} : { nodePool: spec.nodePool }),
    indexes,
    waitingSince: since,
  };
}

/** An index waits since its last attempt ended, or since the job was submitted. */
function waitingSince(index: PoolIndex | undefined, submittedAt: number): number {
  return index?.attempts.at(-1)?.finishedAt ?? submittedAt;
}
