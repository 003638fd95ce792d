/** What bursts may add and cost at most by the settings, whatever waits. */
import { hourlyOf } from "../agent/contract/plan.ts";
import { offersOf } from "./burst/offers.ts";
import type { BurstPool, BurstSettings } from "./burst-settings.ts";
import type { CloudBurstPool } from "./cloud-settings.ts";
import { cachedCatalog } from "./price-cache.ts";

export interface BurstCeiling {
  /** Machines that may exist at a time. */
  readonly machines: number;
  /** USD/hour; undefined where no cap says it and the prices are not known yet. */
  readonly perHour?: number;
  /** USD in a calendar day; where the settings cap it. */
  readonly perDay?: number;
  /** USD in a calendar month; where the settings cap it. */
  readonly perMonth?: number;
  /** All prices are made up: nobody is billed. */
  readonly pretend: boolean;
}

/** The longest day and month there are, in hours: clocks go back once a year. */
const longest = { day: 25, month: 31 * 24 + 1 };

/** No more than the budget, and no more than all machines that may exist cost. */
export function burstCeiling({ pools, policy }: Pick<BurstSettings, "pools" | "policy">): BurstCeiling {
  const usable = Object.entries(pools).filter(([name]) => policy.rules.some(({ use }) => use === "cheapest" || use.includes(name)));
  const prices = usable.flatMap(([, pool]) => pricesOf(pool)).toSorted((a, b) => b - a);
  const dearest = prices.slice(0, policy.maxNodes);
  const { perHour = Number.POSITIVE_INFINITY, perDay, perMonth } = policy.budget;
  const hourly = Math.min(perHour, sumOf(dearest));
  return {
    machines: dearest.length,
    ...(Number.isFinite(hourly) ? { perHour: hourly } : {}),
    ...(perDay === undefined ? {} : { perDay: Math.min(perDay, hourly * longest.day) }),
    ...(perMonth === undefined ? {} : { perMonth: Math.min(perMonth, hourly * longest.month) }),
    pretend: usable.every(([, { provider }]) => provider === "local"),
  };
}

/** `bursts may add up to 4 machines, at most $0.40/hour (pretend prices)` */
export function ceilingText({ machines, perHour, perDay, perMonth, pretend }: BurstCeiling): string {
  if (machines === 0) return "bursts may add no machine";
  const caps = perHour === undefined ? [] : [`${dollars(perHour)}/hour`];
  if (perDay !== undefined) caps.push(`${dollars(perDay)}/day`);
  if (perMonth !== undefined) caps.push(`${dollars(perMonth)}/month`);
  const count = machines === 1 ? "1 machine" : `${machines} machines`;
  return `bursts may add up to ${count}, at most ${caps.join(" · ")}${pretend ? " (pretend prices)" : ""}`;
}

/** USD/hour of each machine that the pool may yield. */
function pricesOf(pool: BurstPool): number[] {
  if (pool.provider === "local") return Array.from({ length: pool.maxNodes }, () => pool.price.hourly);
  // What a cloud's machines cost at most its own offers say, as far as its prices are known.
  if (pool.provider !== "ssh") return Array.from({ length: pool.maxNodes }, () => dearestOffer(pool));
  return pool.hosts.map(({ price }) => price?.hourly ?? 0);
}

/** USD/hour; without end where a region's prices are not known on this computer: the burster asks for them before it buys. */
function dearestOffer(pool: CloudBurstPool): number {
  const catalogs = pool.regions.map((region) => cachedCatalog({ cloud: pool.provider, region }));
  const known = catalogs.filter((catalog) => catalog !== undefined);
  if (known.length < catalogs.length) return Number.POSITIVE_INFINITY;
  return Math.max(0, ...offersOf({ pool }, known).map(hourlyOf));
}

/** To a ten-thousandth of a cent, so that 4 × 0.1 is no more than 0.4. */
function sumOf(amounts: readonly number[]): number {
  return Math.round(amounts.reduce((sum, amount) => sum + amount, 0) * 1e6) / 1e6;
}

function dollars(amount: number): string {
  return `$${amount.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 4 })}`;
}
