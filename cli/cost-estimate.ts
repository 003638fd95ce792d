/**
 * What machines have cost this month, reckoned from price × time; pure. Bursts by the ledger, node pools by how long the
 * master knows each node that is there now: it is an estimate, and no bill.
 */
import type { BurstView } from "../agent/contract/burst-api.ts";
import { dateIn, startOfDay, startOfMonth } from "../agent/contract/calendar.ts";
import { type BurstRow, costOf } from "../agent/contract/ledger.ts";
import type { NodeView } from "../agent/contract/node.ts";
import { isPretend } from "./burst-text.ts";

/** Money is USD, prices are USD/hour, times are ms since the epoch. */
export interface CostEstimate {
  readonly estimated: true;
  /** The time zone whose days and month are meant: the budget's. */
  readonly zone: string;
  /** The month's first moment there. */
  readonly since: number;
  readonly days: readonly DayCost[];
  /** Node pools, then burst pools. */
  readonly pools: readonly PoolCost[];
  /** Oldest first. */
  readonly bursts: readonly BurstCost[];
  /** Nodes that have no price, or of which it is not known since when they are there: they count as nothing. */
  readonly uncounted: readonly string[];
}

export interface DayCost {
  /** YYYY-MM-DD */
  readonly day: string;
  readonly nodePools: number;
  readonly bursts: number;
  readonly leaked: number;
}

export interface PoolCost {
  readonly pool: string;
  readonly kind: "node pool" | "burst pool";
  /** That are there now, and what they cost. */
  readonly machines: number;
  readonly hourly: number;
  readonly usd: number;
  readonly leaked: number;
  /** All its prices are made up: nobody is billed. */
  readonly pretend: boolean;
}

export interface BurstCost {
  readonly burst: string;
  readonly burstPool: string;
  readonly offer: string;
  readonly state: BurstRow["state"];
  readonly machines: number;
  readonly hourly: number;
  /** What it was billed for in this month. */
  readonly hours: number;
  readonly usd: number;
  readonly leaked: number;
  readonly pretend: boolean;
}

const hourMs = 3_600_000;

export function estimateCosts(view: Pick<BurstView, "rows" | "offers" | "policy">, nodes: readonly NodeView[], now: number): CostEstimate {
  const zone = view.policy?.budget.zone ?? "UTC";
  const since = startOfMonth(now, zone);
  const own = nodes.filter(({ declaration }) => declaration.burst === undefined);
  const days = daysOf(since, now, zone).map(([from, to]): DayCost => {
    const costs = view.rows.map((row) => costOf(row, to, from));
    return {
      day: dateIn(from, zone),
      nodePools: sum(own.map((node) => nodeCost(node, from, to))),
      bursts: sum(costs.map(({ spent }) => spent)),
      leaked: sum(costs.map(({ leaked }) => leaked)),
    };
  });
  const bursts = view.rows
    .map((row) => burstCost(row, { since, now, pretend: isPretend(row, view.offers) }))
    .filter(({ usd, leaked, state }) => usd > 0 || leaked > 0 || isThere(state))
    .toSorted((a, b) => (a.burst < b.burst ? -1 : 1));
  return {
    estimated: true,
    zone,
    since,
    days,
    pools: [...nodePoolCosts(own, since, now), ...burstPoolCosts(bursts)],
    bursts,
    uncounted: own.filter((node) => knownSince(node) === undefined || node.declaration.price === undefined).map(({ name }) => name),
  };
}

/** From the month's first day to today, each with its ends; today's is now. */
function daysOf(since: number, now: number, zone: string): [number, number][] {
  const days: [number, number][] = [];
  for (let to = now; to > since; ) {
    const from = Math.max(since, startOfDay(to - 1, zone));
    days.unshift([from, to]);
    to = from;
  }
  return days;
}

function knownSince({ declaredAt, agentSince }: NodeView): number | undefined {
  return declaredAt ?? agentSince;
}

function nodeCost(node: NodeView, from: number, to: number): number {
  const begun = knownSince(node);
  if (begun === undefined) return 0;
  return ((node.declaration.price?.hourly ?? 0) * Math.max(0, to - Math.max(from, begun))) / hourMs;
}

function nodePoolCosts(nodes: readonly NodeView[], since: number, now: number): PoolCost[] {
  const byPool = [...Map.groupBy(nodes, ({ declaration }) => declaration.pool)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return byPool.map(([pool, members]) => ({
    pool,
    kind: "node pool",
    machines: members.length,
    hourly: sum(members.map(({ declaration }) => declaration.price?.hourly ?? 0)),
    usd: sum(members.map((node) => nodeCost(node, since, now))),
    leaked: 0,
    pretend: false,
  }));
}

function burstPoolCosts(bursts: readonly BurstCost[]): PoolCost[] {
  const byPool = [...Map.groupBy(bursts, ({ burstPool }) => burstPool)].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return byPool.map(([pool, members]) => {
    const there = members.filter(({ state }) => isThere(state));
    return {
      pool,
      kind: "burst pool",
      machines: there.reduce((count, { machines }) => count + machines, 0),
      hourly: sum(there.map(({ hourly }) => hourly)),
      usd: sum(members.map(({ usd }) => usd)),
      leaked: sum(members.map(({ leaked }) => leaked)),
      pretend: members.every(({ pretend }) => pretend),
    };
  });
}

function burstCost(
  row: BurstRow,
  { since, now, pretend }: { readonly since: number; readonly now: number; readonly pretend: boolean },
): BurstCost {
  const { id: burst, burstPool, offer, state, nodes, hourly, at } = row;
  const { spent: usd, leaked } = costOf(row, now, since);
  const hours = at.launching === undefined ? 0 : Math.max(0, (at.gone ?? now) - Math.max(at.launching, since)) / hourMs;
  return { burst, burstPool, offer, state, machines: nodes.length, hourly, hours, usd, leaked, pretend };
}

/** Whether it costs something now; what has leaked does, beyond the budget. */
function isThere(state: BurstRow["state"]): boolean {
  return state !== "intent" && state !== "gone";
}

/** To a ten-thousandth of a cent, so that sums of parts are those of the whole. */
function sum(amounts: readonly number[]): number {
  return Math.round(amounts.reduce((whole, amount) => whole + amount, 0) * 1e6) / 1e6;
}
