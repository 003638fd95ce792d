/**
 * The master's working state while it leads: the pool in memory, the writer behind it, the journal, and what is to be
 * told to whom. Everything that decides takes it as its first argument. When the store fails, the pool is read anew and
 * the leader is suspended until it can write again, as if the master had restarted, but without leaving the process.
 */
import type { MasterConfig } from "../contract/agent-config.ts";
import type { PoolEvent } from "../contract/api.ts";
import { describeError, SpillwayError } from "../contract/errors.ts";
import { productVersion } from "../contract/version.ts";
import { type Bursting, createBursting } from "./burst/bursting.ts";
import type { Clock } from "./clock.ts";
import type { BulkConnection } from "./lifecycle/bulk.ts";
import type { ControlConnection } from "./lifecycle/connection.ts";
import type { Log } from "./log.ts";
import { loadPool } from "./pool/load.ts";
import { emptyPool, type Pool, type PoolJob } from "./pool/pool.ts";
import type { Journal } from "./state/journal.ts";
import type { Store } from "./state/store.ts";
import { createWriter, type Writer } from "./state/writer.ts";

/** How long a suspended leader waits before it tries the store again. */
const retryStoreMs = 1000;

export interface Leader {
  readonly config: MasterConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly journal: Journal;
  readonly writer: Writer;
  /** Replaced when the state is read anew; never keep a reference across an await without need. */
  pool: Pool;
  /** The present control connection of each node. */
  readonly controls: Map<string, ControlConnection>;
  /** The present bulk connection of each node that has one, and who waits for one. */
  readonly bulks: Map<string, BulkConnection>;
  readonly bulkWaiters: Map<string, Set<() => void>>;
  /** Asks for a scheduling round; many requests make one round. */
  requestRound: () => void;
  /** Wakes those who wait for a change of this job. */
  readonly jobWaiters: Map<string, Set<() => void>>;
  readonly bursting: Bursting;
  /** Aborted when the master shuts down: ends every stream. */
  readonly shutdown: AbortController;
}

export interface LeaderParts {
  readonly config: MasterConfig;
  readonly clock: Clock;
  readonly log: Log;
  readonly store: Store;
  readonly journal: Journal;
  /** Another master leads this store: this one has to end. */
  readonly onSuperseded: (fault: SpillwayError) => void;
  /** The pool was read anew: what a crash cut short is to be finished. */
  readonly onLoaded: (leader: Leader) => void;
}

/** Reads the pool and takes the leadership of the store. Throws when the store can't be read or written. */
export async function startLeader(parts: LeaderParts): Promise<Leader> {
  const { clock, store } = parts;
  const writer = createWriter(store, { pid: process.pid, startedAt: clock.now() }, (fault) => {
    void suspend(leader, fault, parts);
  });
  const leader: Leader = {
    ...parts,
    writer,
    pool: emptyPool(),
    controls: new Map(),
    bulks: new Map(),
    bulkWaiters: new Map(),
    requestRound: () => {},
    jobWaiters: new Map(),
    bursting: createBursting(clock),
    shutdown: new AbortController(),
  };
  // The leadership first: what another master still had under way is refused from here on, so what is read stays true.
  await writer.lead();
  leader.pool = await loadPool(store, clock);
  writer.resume();
  tell(leader, {
    kind: "master-started",
    subject: "environment",
    message: `The master ${productVersion} has started with ${leader.pool.nodes.size} nodes and ${leader.pool.jobs.size} jobs on record`,
  });
  parts.onLoaded(leader);
  return leader;
}

/** Puts an event into the journal: a decision or change that is already durable, with its reason. */
export function tell(leader: Leader, event: Omit<PoolEvent, "seq" | "at" | "data"> & { readonly data?: PoolEvent["data"] }): void {
  leader.journal.append({ ...event, at: leader.clock.now(), data: event.data ?? {} });
}

/** Throws the fault that keeps the leader from changing anything. To be called before memory is changed. */
export function assertWritable(leader: Leader): void {
  const fault = leader.writer.fault();
  if (fault !== undefined) throw fault;
}

/** Runs something nobody waits for. A fault of the store is told by the leader itself; anything else is logged. */
export function inBackground(leader: Leader, who: string, act: () => Promise<void>): void {
  act().catch((error: unknown) => {
    if (leader.writer.fault() === undefined && !leader.shutdown.signal.aborted) leader.log("error", who, describeError(error));
  });
}

export function wakeJobWaiters(leader: Leader, job: PoolJob): void {
  for (const wake of leader.jobWaiters.get(job.record.id) ?? []) wake();
}

async function suspend(leader: Leader, fault: SpillwayError, parts: LeaderParts): Promise<void> {
  if (leader.shutdown.signal.aborted) return;
  leader.log("error", "master", describeError(fault));
  if (fault.code === "superseded") {
    parts.onSuperseded(fault);
    return;
  }
  for (const connection of leader.controls.values()) connection.close(1013, "the master can't write its state");
  let reread = false;
  while (!leader.shutdown.signal.aborted) {
    try {
      // The lead first: what was handed to the store before is on it or has failed by then, so nothing valid is missed.
      const failed = await leader.writer.lead().then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
      );
      if (!reread && !isSuperseded(failed)) {
        leader.pool = await loadPool(leader.store, leader.clock);
        leader.writer.reread();
        reread = true;
      }
      if (failed !== undefined) throw failed;
      break;
    } catch (error) {
      if (isSuperseded(error)) {
        parts.onSuperseded(error);
        return;
      }
      const { promise, resolve } = Promise.withResolvers<void>();
      leader.clock.after(retryStoreMs, resolve);
      await promise;
    }
  }
  if (leader.shutdown.signal.aborted) return;
  leader.writer.resume();
  // Silence did not count while agents could not report.
  for (const node of leader.pool.nodes.values()) node.heardAt = leader.clock.monotonic();
  leader.log("info", "master", "the state can be written again");
  tell(leader, { kind: "master-resumed", subject: "environment", message: `The master can write its state again (${fault.message})` });
  parts.onLoaded(leader);
  leader.requestRound();
}

function isSuperseded(error: unknown): error is SpillwayError {
  return error instanceof SpillwayError && error.code === "superseded";
}
