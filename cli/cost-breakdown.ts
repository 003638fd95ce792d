/** An estimate of what machines have cost, as tables for people. */
import { formatUsd } from "../agent/contract/quantities.ts";
import type { CostEstimate } from "./cost-estimate.ts";
import { countOf, paintState, table } from "./output.ts";

export const breakdowns = ["day", "pool", "burst"] as const;
export type Breakdown = (typeof breakdowns)[number];

const right = "right" as const;

export function breakdownText(estimate: CostEstimate, by: Breakdown): string {
  const { zone, uncounted } = estimate;
  const lines = [
    { day: dayTable, pool: poolTable, burst: burstTable }[by](estimate),
    "",
    `estimated: price × time, this month in ${zone}; of node pools the nodes that are there now, since the master knows them`,
  ];
  if (uncounted.length > 0 && by !== "burst")
    lines.push(
      `not counted, since they have no price or no age: ${countOf(uncounted.length, "node")} (${uncounted.slice(0, 5).join(", ")}${uncounted.length > 5 ? " …" : ""})`,
    );
  return lines.join("\n");
}

/** Nothing is an empty cell, so that a column of nothing is left out. */
function usd(amount: number): string {
  return amount === 0 ? "" : formatUsd(amount);
}

function dayTable({ days }: CostEstimate): string {
  const columns = ["node pools", "bursts", "leaked", "in all"].map((title) => ({ title, align: right }));
  return table(
    [{ title: "day" }, ...columns],
    days.map(({ day, nodePools, bursts, leaked }) => [
      day,
      usd(nodePools),
      usd(bursts),
      usd(leaked),
      formatUsd(nodePools + bursts + leaked),
    ]),
  );
}

function poolTable({ pools }: CostEstimate): string {
  if (pools.length === 0) return "No node has joined, and no burst has cost anything this month.";
  return table(
    [
      { title: "pool" },
      { title: "kind" },
      { title: "machines now", align: right },
      { title: "$/hour now", align: right },
      { title: "cost", align: right },
      { title: "leaked", align: right },
      { title: "" },
    ],
    pools.map(({ pool, kind, machines, hourly, usd: spent, leaked, pretend }) => [
      pool,
      kind,
      String(machines),
      usd(hourly),
      formatUsd(spent),
      usd(leaked),
      pretend ? "pretend prices" : "",
    ]),
  );
}

function burstTable({ bursts }: CostEstimate): string {
  if (bursts.length === 0) return "No burst has cost anything this month.";
  return table(
    [
      { title: "burst" },
      { title: "state" },
      { title: "offer" },
      { title: "machines", align: right },
      { title: "$/hour", align: right },
      { title: "hours", align: right },
      { title: "cost", align: right },
      { title: "leaked", align: right },
      { title: "" },
    ],
    bursts.map(({ burst, state, offer, machines, hourly, hours, usd: spent, leaked, pretend }) => [
      burst,
      paintState(state),
      offer,
      String(machines),
      formatUsd(hourly),
      hours.toFixed(1),
      formatUsd(spent),
      usd(leaked),
      pretend ? "pretend prices" : "",
    ]),
  );
}
