/** Reads the pool from the store, as it is when a master starts: no node was heard of yet, and no timer has run. */
import type { ZodType } from "zod";
import { SpillwayError } from "../../contract/errors.ts";
import type { BurstRow } from "../../contract/ledger.ts";
import type { Clock } from "../clock.ts";
import type { Store, StoreEntry } from "../state/store.ts";
import { addJob, addNode, emptyPool, type Pool } from "./pool.ts";
import {
  authorityKey,
  authorityRecord,
  burstPauseKey,
  burstPolicyKey,
  burstRecords,
  closingKey,
  closingRecord,
  type IndexRecord,
  indexRecord,
  type JobRecord,
  jobRecord,
  ledgerKey,
  nodeRecord,
  parseIndexKey,
  prefixes,
  tokenRecord,
} from "./records.ts";

const pageSize = 1000;

/**
 * Nodes that had joined begin as `suspect` with their timers counted from now, so that a restart of the master
 * reschedules nothing; lost ones stay lost. Throws a SpillwayError `state-unreadable` when a record can't be understood.
 */
export async function loadPool(store: Store, clock: Clock): Promise<Pool> {
  const pool = emptyPool();
  const now = clock.now();
  const heardAt = clock.monotonic();
  for await (const entry of every(store, prefixes.node)) {
    const record = read(nodeRecord, entry);
    const start =
      record.seen === undefined
        ? ({ state: "joining", reason: "its agent has not joined yet" } as const)
        : record.lostAt !== undefined
          ? ({ state: "lost", reason: "it was lost before the master restarted" } as const)
          : ({ state: "suspect", reason: "the master has just started; waiting for its agent" } as const);
    addNode(pool, record, { ...start, now, heardAt });
  }
  for await (const entry of every(store, prefixes.token)) {
    const record = read(tokenRecord, entry);
    pool.tokens.set(record.sha256, record);
  }
  const indexes = new Map<string, Map<number, IndexRecord>>();
  for await (const entry of every(store, prefixes.index)) {
    const { job, index } = parseIndexKey(entry.key);
    const ofJob = indexes.get(job) ?? new Map<number, IndexRecord>();
    indexes.set(job, ofJob.set(index, read(indexRecord, entry)));
  }
  const jobs: JobRecord[] = [];
  for await (const entry of every(store, prefixes.job)) jobs.push(read(jobRecord, entry));
  for (const record of jobs.toSorted((a, b) => a.seq - b.seq)) addJob(pool, record, indexes.get(record.id));
  const rows: BurstRow[] = [];
  for await (const entry of every(store, prefixes.burst)) rows.push(read(burstRecords.row, entry));
  for (const row of byIntent(rows)) pool.bursts.set(row.id, row);
  pool.ledger = await readOne(store, ledgerKey, burstRecords.ledger);
  pool.burstPolicy = await readOne(store, burstPolicyKey, burstRecords.policy);
  pool.burstPause = await readOne(store, burstPauseKey, burstRecords.pause);
  pool.closing = await readOne(store, closingKey, closingRecord);
  pool.authority = await readOne(store, authorityKey, authorityRecord);
  return pool;
}

function byIntent(rows: readonly BurstRow[]): BurstRow[] {
  return rows.toSorted((a, b) => (a.at.intent ?? 0) - (b.at.intent ?? 0) || (a.id < b.id ? -1 : 1));
}

async function readOne<T>(store: Store, key: string, schema: ZodType<T>): Promise<T | undefined> {
  const entry = await store.get(key);
  return entry === undefined ? undefined : read(schema, entry);
}

async function* every(store: Store, prefix: string): AsyncGenerator<StoreEntry> {
  let after = "";
  while (true) {
    const page = await store.range(prefix, { after, limit: pageSize });
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < pageSize) return;
    after = last.key;
  }
}

function read<T>(schema: ZodType<T>, entry: StoreEntry): T {
  const result = schema.safeParse(entry.value);
  if (result.success) return result.data;
  throw new SpillwayError(`the record ${entry.key} in the master's state can't be read`, {
    code: "state-unreadable",
    hint: "Was it written by a newer version? Start that one, or restore the state from a backup.",
    cause: result.error,
  });
}
