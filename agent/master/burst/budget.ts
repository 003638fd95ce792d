/**
 * Whether the budget allows a burst, and what must go before a cap is passed. Committed money is what was spent in a
 * window and what it takes to end all that runs or is on its way; leaks are counted apart.
 */

import { startOfDay, startOfMonth } from "../../contract/calendar.ts";
import { type BudgetView, type BudgetWindow, type BurstRow, costOf } from "../../contract/ledger.ts";
import { formatDuration, formatUsd } from "../../contract/quantities.ts";
import { cost, heldFor, type MoneyContext } from "./held.ts";
import { byId, compareText } from "./order.ts";

const warnFrom = 0.8;
/** Sums of fractions are not exact. */
const tolerance = 1e-9;

export function budgetOf(rows: readonly BurstRow[], context: MoneyContext): BudgetView {
  const { policy, now, settled } = context;
  const { perHour, perDay, perMonth, zone } = policy.budget;
  const sorted = byId(rows);
  const held = sum(sorted, (row) => heldFor(row, context));
  const total = (window: BudgetWindow["window"], since: number, cap: number | undefined): BudgetWindow => {
    const spent =
      window === "hour" ? sum(sorted, runningRate) : (settled?.[window] ?? 0) + sum(sorted, (row) => costOf(row, now, since).spent);
    const committed = window === "hour" ? sum(sorted, committedRate) : spent + held;
    const warning = cap !== undefined && committed >= warnFrom * cap && committed > 0;
    return { window, since, ...(cap === undefined ? {} : { cap }), spent, committed, warning };
  };
  const month = startOfMonth(now, zone);
  const leaked = sorted.filter(({ state }) => state === "leaked");
  return {
    windows: [total("hour", now, perHour), total("day", startOfDay(now, zone), perDay), total("month", month, perMonth)],
    leaked: {
      bursts: leaked.map(({ id }) => id),
      hourly: sum(leaked, ({ hourly }) => hourly),
      spent: sum(sorted, (row) => costOf(row, now, month).leaked),
    },
  };
}

/** The rows that are not over, and what the others have cost: the same money in a hundredth of the time. */
export function settle(rows: readonly BurstRow[], context: MoneyContext): { rows: BurstRow[]; settled: { day: number; month: number } } {
  const over = rows.filter(({ state }) => state === "gone");
  const [, day, month] = budgetOf(over, context).windows;
  return { rows: rows.filter(({ state }) => state !== "gone"), settled: { day: day?.spent ?? 0, month: month?.spent ?? 0 } };
}

/**
 * Why the budget forbids `row` (an intent, or a burst that would be live again) beside the others; undefined when it
 * allows it. It must last for all of them for the minimum life too, or what was just bought would have to go at once.
 */
export function budgetRefusal(rows: readonly BurstRow[], row: BurstRow, context: MoneyContext): string | undefined {
  const all = [...rows.filter(({ id }) => id !== row.id), row];
  const lifeMs = Math.max(context.policy.retire.minimumLifeMs, context.options.reactionMs);
  const growth = cost(sum(byId(all), growingRate), lifeMs);
  for (const { window, cap, spent, committed } of budgetOf(all, context).windows) {
    if (cap === undefined) continue;
    if (isAbove(committed, cap)) {
      const [per, unit] = window === "hour" ? ["perHour", "/h"] : [window === "day" ? "perDay" : "perMonth", ""];
      const set = window === "hour" ? "" : ` (${formatUsd(spent)} spent, ${formatUsd(committed - spent)} set aside)`;
      return `budget.${per}: ${formatUsd(committed)}${unit}${set} would be above the cap of ${formatUsd(cap)}${unit}`;
    }
    if (window !== "hour" && isAbove(committed + growth, cap))
      return `budget.${window === "day" ? "perDay" : "perMonth"}: the cap of ${formatUsd(cap)} would be reached within ${formatDuration(lifeMs)}`;
  }
  return undefined;
}

/** A burst that has to go for the budget's sake, and why. */
export interface Squeezed {
  readonly row: BurstRow;
  readonly reason: string;
}

/**
 * What must be withdrawn (intents) or drained (live) now, lest a cap be passed before the next plan: intents first,
 * since nothing was bought for them, then the lowest priority (below zero: it has no task).
 */
export function squeeze(rows: readonly BurstRow[], priorityOf: (row: BurstRow) => number, context: MoneyContext): Squeezed[] {
  const { windows } = budgetOf(rows, context);
  const order = rows
    .filter(({ state }) => state === "intent" || state === "live")
    .toSorted(
      (a, b) =>
        Number(b.state === "intent") - Number(a.state === "intent") ||
        priorityOf(a) - priorityOf(b) ||
        b.hourly - a.hourly ||
        compareText(a.id, b.id),
    );
  let rate = sum(byId(rows), growingRate);
  let lookAhead = cost(
    sum(byId(rows), (row) => (row.state === "live" ? row.hourly : 0)),
    context.options.reactionMs,
  );
  let released = 0;
  const gone: Squeezed[] = [];
  for (const row of order) {
    const passed = windows.find(({ window, cap, committed }) => {
      if (cap === undefined) return false;
      return isAbove(window === "hour" ? rate : committed - released + lookAhead, cap);
    });
    if (passed === undefined) break;
    rate -= row.hourly;
    // Draining holds as much as being live, but it does not grow; an intent holds nothing any more.
    if (row.state === "live") lookAhead -= cost(row.hourly, context.options.reactionMs);
    else released += heldFor(row, context);
    gone.push({ row, reason: squeezeReason(passed, priorityOf(row)) });
  }
  return gone;
}

function squeezeReason({ window, cap = 0, committed }: BudgetWindow, priority: number): string {
  if (window === "hour")
    return `budget.perHour: ${formatUsd(committed)}/h are above the cap of ${formatUsd(cap)}/h, and ${lowest(priority)}`;
  const key = window === "day" ? "budget.perDay" : "budget.perMonth";
  return `${key}: ${formatUsd(committed)} of ${formatUsd(cap)} are committed, and ${lowest(priority)}`;
}

/** Below zero: it has no task. */
function lowest(priority: number): string {
  return priority < 0 ? "it has no task" : `its priority (${priority}) is the lowest`;
}

function isAbove(amount: number, cap: number): boolean {
  return amount > cap + tolerance * Math.max(1, cap);
}

/** What is billed now, leaks apart. */
function runningRate({ state, hourly }: BurstRow): number {
  return state === "launching" || state === "live" || state === "draining" || state === "retiring" ? hourly : 0;
}

function committedRate(row: BurstRow): number {
  return row.state === "intent" ? row.hourly : runningRate(row);
}

/** What goes on costing until something is decided. */
function growingRate({ state, hourly }: BurstRow): number {
  return state === "intent" || state === "launching" || state === "live" ? hourly : 0;
}

function sum<T>(list: readonly T[], amountOf: (one: T) => number): number {
  return list.reduce((total, one) => total + amountOf(one), 0);
}
