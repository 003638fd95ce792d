/** What a preview found, as lines for people. */
import { formatUsd } from "../agent/contract/quantities.ts";
import { ceilingText } from "../stacks/burst-ceiling.ts";
import type { CloudPoolCost } from "../stacks/cloud-pool-cost.ts";
import type { Preview } from "../stacks/workflow/up.ts";
import { paint, print, shortSpan } from "./output.ts";

const marks: Record<string, string> = { create: "+", update: "~", replace: "±", delete: "-" };

/** Of the environment's name the command that asks for prices is made. */
export function showPlan(environment: string, preview: Preview): void {
  for (const line of planLines(environment, preview, Date.now())) print(line);
}

export function planLines(environment: string, { changes, hourly, cloudPools, guardsSetAside, bursts }: Preview, now: number): string[] {
  const lines = changes.map(({ name, operation }) => `  ${marks[operation] ?? "?"} ${name.padEnd(16)} ${operation}`);
  if (lines.length === 0) lines.push("Nothing to change.");
  else if (hourly > 0 || cloudPools.length === 0) lines.push(`  cost: $${hourly.toFixed(2)}/hour, by your own prices`);
  lines.push(...cloudPools.map((cost) => `  ${cloudPoolText(environment, cost, now)}`));
  if (bursts !== undefined) lines.push(`  ${ceilingText(bursts)}`);
  lines.push(...guardLines(guardsSetAside));
  return lines;
}

/** Hours of a month, as clouds reckon it: 365 × 24 / 12. */
const monthHours = 730;

/** `base: 2 × m7i.large in aws eu-central-1: $0.254/hour, $185.42/month (prices 2 h old)` */
export function cloudPoolText(
  environment: string,
  {
    pool,
    machines,
    instanceType = "the cheapest type that fits",
    isEstimate = false,
    market,
    cloud,
    region,
    hourly,
    askedAt,
  }: CloudPoolCost,
  now: number,
): string {
  const what = `${pool}: ${machines} × ${instanceType}${market === "spot" ? " spot" : ""} in ${cloud} ${region}`;
  const age = askedAt === undefined ? "" : ` (prices ${shortSpan(now - askedAt)} old)`;
  if (hourly !== undefined) {
    const cost = `${formatUsd(hourly)}/hour, ${formatUsd(hourly * monthHours)}/month`;
    return isEstimate
      ? `${what}: about ${cost}${age}: an estimate, by the cheapest type known to fit; one that was chosen before stays`
      : `${what}: ${cost}${age}`;
  }
  const next = `spillway prices refresh ${environment}`;
  return askedAt === undefined
    ? paint("yellow", `${what}: the price is not known on this computer. To ask: ${next}`)
    : paint("yellow", `${what}: no ${isEstimate ? "type that fits" : "price of this type"} is known there${age}. To ask again: ${next}`);
}

/** What is not guarded is told every time. */
export function guardLines(guardsSetAside: readonly string[]): string[] {
  return guardsSetAside.map((sentence) => paint("yellow", `  ! ${sentence}`));
}
