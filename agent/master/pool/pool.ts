/**
 * The pool in the leader's memory: nodes, jobs and what holds what. Functions here change memory in one synchronous step
 * and return the operations that make the change durable; whoever calls them writes those before acting.
 */
import type { LedgerIdentity } from "../../contract/burst-api.ts";
import type { BurstRow } from "../../contract/ledger.ts";
import type { NodeState } from "../../contract/node.ts";
import type { BurstPolicy } from "../../contract/policy.ts";
import { addResources, noResources, type Resources, reservedOf, subtractResources } from "../../contract/resources.ts";
import type { Attempt, JobState } from "../../contract/workload.ts";
import type { Rejection } from "../scheduler/place.ts";
import type { Operation } from "../state/store.ts";
import {
  type AuthorityRecord,
  type BurstPause,
  type ClosingRecord,
  type IndexRecord,
  indexKey,
  type JobRecord,
  jobKey,
  type NodeRecord,
  type TokenRecord,
} from "./records.ts";

export interface PoolNode {
  record: NodeRecord;
  state: NodeState;
  stateReason: string;
  /** ms since the epoch. */
  stateSince: number;
  /** On the monotonic clock: when silence began to count. */
  heardAt: number;
  /** ms since the epoch; only while this master runs. */
  lastHeartbeatAt: number | undefined;
  /** ms since the epoch: when its agent said hello on the present connection, or on its last; only while this master runs. */
  agentSince?: number | undefined;
  /** What its active attempts hold. */
  used: Resources;
  /** Ids of its active attempts. */
  readonly tasks: Set<string>;
  /** ms since the epoch: since when it has no task; undefined while it has one, and until its agent was heard. Not kept over a restart. */
  idleSince?: number | undefined;
  /** Set while it gets no new task because its host could not start one. Not kept over a restart. */
  paused?: { readonly at: number; readonly reason: string } | undefined;
}

export type IndexState = IndexRecord["state"];

export interface PoolIndex {
  state: IndexState;
  attempts: readonly Attempt[];
  /** Set while it waits before it is tried again: for how long, in all. Not kept over a restart. */
  backOffMs?: number | undefined;
}

export interface PoolJob {
  record: JobRecord;
  readonly indexes: readonly PoolIndex[];
  readonly counts: Record<IndexState, number>;
  /** The size of its record when it was added. */
  readonly bytes: number;
  /** Why its pending indexes were not placed in the last round. */
  rejections: readonly Rejection[];
}

export interface Pool {
  readonly nodes: Map<string, PoolNode>;
  /** In the order of submission. */
  readonly jobs: Map<string, PoolJob>;
  /** Of `jobs`, those with a pending index. */
  readonly pending: Set<PoolJob>;
  readonly tokens: Map<string, TokenRecord>;
  /** The ledger: rows by id, in the order of their intents; also those that are gone, for a while. */
  readonly bursts: Map<string, BurstRow>;
  /** Undefined until the first row or question: see burst/ledger-identity.ts. */
  ledger: LedgerIdentity | undefined;
  /** Undefined: nothing is bought. */
  burstPolicy: BurstPolicy | undefined;
  burstPause: BurstPause | undefined;
  closing: ClosingRecord | undefined;
  /** Undefined until a master of version 0.4 has led it. */
  authority: AuthorityRecord | undefined;
  nextJobSeq: number;
}

export function emptyPool(): Pool {
  return {
    nodes: new Map(),
    jobs: new Map(),
    pending: new Set(),
    tokens: new Map(),
    bursts: new Map(),
    ledger: undefined,
    burstPolicy: undefined,
    burstPause: undefined,
    closing: undefined,
    authority: undefined,
    nextJobSeq: 1,
  };
}

export function addNode(
  pool: Pool,
  record: NodeRecord,
  start: { state: NodeState; reason: string; now: number; heardAt: number },
): PoolNode {
  const node: PoolNode = {
    record,
    state: start.state,
    stateReason: start.reason,
    stateSince: start.now,
    heardAt: start.heardAt,
    lastHeartbeatAt: undefined,
    used: noResources,
    tasks: new Set(),
  };
  pool.nodes.set(record.name, node);
  return node;
}

/** Adds a job; `stored` holds the indexes that have a record. */
export function addJob(pool: Pool, record: JobRecord, stored: ReadonlyMap<number, IndexRecord> = new Map()): PoolJob {
  const unrecorded: IndexState = record.cancel === undefined ? "pending" : "cancelled";
  const indexes = Array.from({ length: record.spec.count }, (_, index): PoolIndex => {
    const found = stored.get(index);
    if (found === undefined) return { state: unrecorded, attempts: [] };
    return { state: found.state === "pending" ? unrecorded : found.state, attempts: found.attempts };
  });
  const counts = { pending: 0, active: 0, succeeded: 0, failed: 0, cancelled: 0 };
  const bytes = Buffer.byteLength(JSON.stringify(record));
  const job: PoolJob = { record, indexes, counts, bytes, rejections: [] };
  for (const index of indexes) {
    counts[index.state] += 1;
    hold(pool, job, activeAttempt(index), 1);
  }
  pool.jobs.set(record.id, job);
  if (counts.pending > 0) pool.pending.add(job);
  pool.nextJobSeq = Math.max(pool.nextJobSeq, record.seq + 1);
  return job;
}

/** The attempt that holds resources now, if any: the last one, unless it has ended. */
export function activeAttempt(index: PoolIndex | undefined): Attempt | undefined {
  const last = index?.attempts.at(-1);
  return last !== undefined && !hasEnded(last) ? last : undefined;
}

export function hasEnded(attempt: Attempt): boolean {
  return attempt.state !== "assigned" && attempt.state !== "running" && attempt.state !== "stopping";
}

/** Changes one index and, when it was the last open one, finishes its job. */
export function setIndex(pool: Pool, job: PoolJob, position: number, next: PoolIndex, now: number): Operation[] {
  const index = indexAt(job, position);
  hold(pool, job, activeAttempt(index), -1, now);
  job.counts[index.state] -= 1;
  index.state = next.state;
  index.attempts = next.attempts;
  index.backOffMs = next.backOffMs;
  job.counts[index.state] += 1;
  hold(pool, job, activeAttempt(index), 1);
  const value: IndexRecord = { state: next.state, attempts: [...next.attempts] };
  return [{ put: { key: indexKey(job.record.id, position), value } }, ...afterCounts(pool, job, now)];
}

/** Latches a job's cancellation: what is pending is cancelled at once; what is active goes on until it is stopped. */
export function setCancelled(pool: Pool, job: PoolJob, cancel: { reason: string; graceMs: number }, now: number): Operation[] {
  job.record = { ...job.record, cancel: { at: now, ...cancel } };
  for (const index of job.indexes) {
    if (index.state !== "pending") continue;
    index.state = "cancelled";
    job.counts.pending -= 1;
    job.counts.cancelled += 1;
  }
  const finished = afterCounts(pool, job, now);
  return finished.length > 0 ? finished : [{ put: { key: jobKey(job.record.id), value: job.record } }];
}

export function indexAt(job: PoolJob, position: number): PoolIndex {
  const index = job.indexes[position];
  if (index === undefined) throw new RangeError(`job ${job.record.id} has no index ${position}`);
  return index;
}

/** What tasks may use on a node: declared, or measured minus the system's share; minus the reserve. Undefined until one of them is known. */
export function capacityOf({ declaration, seen }: Pick<NodeRecord, "declaration" | "seen">): Resources | undefined {
  const whole = declaration.capacity ?? seen?.measured;
  if (whole === undefined) return undefined;
  // Declared capacity is what its owner gives; of what is measured the host needs some itself.
  const system =
    declaration.capacity === undefined && declaration.system !== undefined ? reservedOf(whole, declaration.system) : noResources;
  // The addition merges GPUs of one model that are listed twice.
  return subtractResources(addResources(noResources, whole), addResources(system, declaration.reserve ?? noResources));
}

export function jobStateOf(job: PoolJob): JobState {
  const { counts, record } = job;
  if (counts.active > 0) return "running";
  if (counts.pending > 0) return "pending";
  if (counts.succeeded === record.spec.count) return "succeeded";
  if (record.cancel !== undefined) return "cancelled";
  return "failed";
}

function afterCounts(pool: Pool, job: PoolJob, now: number): Operation[] {
  if (job.counts.pending > 0) pool.pending.add(job);
  else pool.pending.delete(job);
  if (job.counts.pending > 0 || job.counts.active > 0 || job.record.finishedAt !== undefined) return [];
  job.record = { ...job.record, finishedAt: now };
  return [{ put: { key: jobKey(job.record.id), value: job.record } }];
}

function hold(pool: Pool, job: PoolJob, attempt: Attempt | undefined, sign: 1 | -1, now?: number): void {
  if (attempt === undefined) return;
  const node = pool.nodes.get(attempt.node);
  if (node === undefined) return;
  node.used = (sign === 1 ? addResources : subtractResources)(node.used, job.record.spec.resources);
  if (sign === 1) node.tasks.add(attempt.taskId);
  else node.tasks.delete(attempt.taskId);
  node.idleSince = node.tasks.size === 0 ? now : undefined;
}
