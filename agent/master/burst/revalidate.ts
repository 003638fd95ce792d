/** Whether an intent may still be launched: asked by whoever applies it, just before anything is bought. */
import type { BurstRow } from "../../contract/ledger.ts";
import { hourlyOf, type Offer } from "../../contract/plan.ts";
import type { BurstPolicy } from "../../contract/policy.ts";
import { budgetRefusal } from "./budget.ts";
import type { MoneyContext } from "./held.ts";
import { leakLimit, nodesLimit } from "./limits.ts";

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
  const others = present.rows.filter(({ id }) => id !== row.id);
  return (
    ruleRefusal(row, present.policy) ??
    leakLimit(row.burstPool, others) ??
    nodesLimit(others, present.policy, row.nodes.length) ??
    budgetRefusal(others, row, present)
  );
}

/** The policy may be another than the one it was decided by, and its rules have no names: what can be told is whether this one would allow it. */
function ruleRefusal({ rule: position, burstPool, priority }: BurstRow, { rules }: BurstPolicy): string | undefined {
  const rule = rules[position - 1];
  if (rule === undefined) return `the policy has no rule ${position} any more`;
  if (rule.use !== "cheapest" && !rule.use.includes(burstPool)) return `rule ${position} uses ${rule.use.join(", ")} only by now`;
  if (priority < rule.priorityAtLeast) return `rule ${position} is for priority ${rule.priorityAtLeast} and above by now`;
  return undefined;
}
