/**
 * The ledger as the leader keeps it: every move of a row changes memory in one synchronous step, is durable before it is
 * answered or told, and is told with its reason. Whoever waits for work is woken by each.
 */
import { isDeepStrictEqual } from "node:util";
import { SpillwayError } from "../../contract/errors.ts";
import type { BurstEvent, BurstRow } from "../../contract/ledger.ts";
import { assertWritable, type Leader, tell } from "../leader.ts";
import { burstKey } from "../pool/records.ts";
import { maxOperations } from "../state/store.ts";
import { advance } from "./advance.ts";
import { tellingOf } from "./tellings.ts";

/** One move of one row. */
export interface Move {
  readonly id: string;
  readonly event: BurstEvent;
}

/**
 * Moves one row and tells it. Resolves with the row as it is when that is durable; memory has changed before the first
 * await. Throws a SpillwayError `not-found`, or `ledger-refused` when the row may not make that move.
 */
export async function move(leader: Leader, id: string, event: BurstEvent): Promise<BurstRow> {
  assertWritable(leader);
  const row = burstRowOf(leader, id);
  const next = advance(row, event, leader.clock.now());
  await record(leader, [next]);
  if (isDeepStrictEqual(row, next)) return next;
  const told = tellingOf(row, next, event);
  if (told !== undefined) tell(leader, told);
  // Its nodes take tasks again.
  if (event.type === "uncordon") leader.requestRound();
  return next;
}

/** Moves many rows with few writes, and tells nothing. What may not be moved is left out. */
export async function moveQuietly(leader: Leader, moves: readonly Move[]): Promise<void> {
  assertWritable(leader);
  const now = leader.clock.now();
  const changed = new Map<string, BurstRow>();
  for (const { id, event } of moves) {
    const row = changed.get(id) ?? leader.pool.bursts.get(id);
    if (row === undefined) continue;
    try {
      changed.set(id, advance(row, event, now));
    } catch (error) {
      if (!(error instanceof SpillwayError)) throw error;
    }
  }
  await record(leader, [...changed.values()]);
}

/** Puts rows into the ledger, new or in the place of what they were. Rows that are as they were are not written again. */
export async function record(leader: Leader, rows: readonly BurstRow[]): Promise<void> {
  const changed = rows.filter((row) => !isDeepStrictEqual(leader.pool.bursts.get(row.id), row));
  if (changed.length === 0) return leader.writer.settled();
  for (const row of changed) leader.pool.bursts.set(row.id, row);
  const written: Promise<void>[] = [];
  for (let first = 0; first < changed.length; first += maxOperations) {
    const operations = changed.slice(first, first + maxOperations).map((row) => ({ put: { key: burstKey(row.id), value: row } }));
    written.push(leader.writer.write("store.commit.burst", operations));
  }
  await Promise.all(written);
  ledgerChanged(leader);
}

/** Wakes those who wait for work, and asks for a plan. */
export function ledgerChanged({ bursting }: Leader): void {
  bursting.revision += 1;
  for (const wake of bursting.waiters) wake();
  bursting.requestPlan();
}

/** Throws a SpillwayError `not-found`. */
export function burstRowOf(leader: Leader, id: string): BurstRow {
  const row = leader.pool.bursts.get(id);
  if (row !== undefined) return row;
  throw new SpillwayError(`there is no burst "${id}"`, { code: "not-found", hint: "See: spillway burst list --all" });
}
