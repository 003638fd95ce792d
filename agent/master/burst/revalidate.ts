/** Whether an intent may still be launched: asked by whoever applies it, just before anything is bought. */
import type { BurstRow } from "../../contract/ledger.ts";
import { hourlyOf, type Offer } from "../../contract/plan.ts";
import { budgetRefusal } from "./budget.ts";
import type { MoneyContext } from "./held.ts";

export interface Present extends MoneyContext {
  readonly rows: readonly BurstRow[];
  readonly offers: readonly Offer[];
  /** Why nothing may be bought now; undefined when it may. */
  readonly paused: string | undefined;
}

/** A sentence that says why not; undefined when it may. A price may have fallen, never risen: what was reserved is the bid. */
export function launchRefusal(row: BurstRow, present: Present): string | undefined {
  if (row.state !== "intent") return `it is ${row.state}, not an intent`;
  if (present.paused !== undefined) return present.paused;
  const offer = present.offers.find(({ id }) => id === row.offer);
  if (offer === undefined) return `${row.offer} is no longer offered`;
  const reserved = row.hourly / row.nodes.length;
  if (hourlyOf(offer) > reserved * (1 + 1e-9)) return `${row.offer} has become dearer than the price that was reserved`;
  return budgetRefusal(present.rows, row, present);
}
