/** `spillway cost`: what bursts have cost and may cost, what one's own nodes cost, and what leaks. */
import { type Command, Option } from "commander";
import type { BurstView } from "../../agent/contract/burst-api.ts";
import { type BudgetWindow, costOf } from "../../agent/contract/ledger.ts";
import type { NodeView } from "../../agent/contract/node.ts";
import { formatUsd } from "../../agent/contract/quantities.ts";
import { budgetLines, isPretend, percentOf } from "../burst-text.ts";
import { wantsJson, withEnvironment, withExamples } from "../command-options.ts";
import { type Breakdown, breakdowns, breakdownText } from "../cost-breakdown.ts";
import { estimateCosts } from "../cost-estimate.ts";
import { openEnvironment } from "../environment-context.ts";
import { paint, print, printJson, table } from "../output.ts";

export function registerCost(program: Command): void {
  const cost = program
    .command("cost")
    .description("Money: the budget of bursts, what each kind of burst has cost this month, and what node pools cost.")
    .argument("[environment]", "e.g. prod (else --env, SPILLWAY_ENV, or the only one there is)")
    .addOption(new Option("--by <part>", "what this month has cost by its parts, estimated from price × time").choices(breakdowns))
    .action(async (environment: string | undefined, { by }: { readonly by?: Breakdown }) => {
      const { client } = openEnvironment(cost, environment);
      const [view, nodes] = await Promise.all([client.bursts({ all: true }), client.nodes()]);
      if (by !== undefined) {
        const estimate = estimateCosts(view, nodes, Date.now());
        if (wantsJson(cost)) printJson(estimate);
        else print(breakdownText(estimate, by));
        return;
      }
      const costs = costsOf(view, nodes, Date.now());
      if (wantsJson(cost)) printJson(costs);
      else print(costText(costs));
    });
  withExamples(withEnvironment(cost), [
    "spillway cost",
    "spillway cost prod --by day",
    "spillway cost --output json | jq '.bursts[] | {offer, usd}'",
  ]);
}

/** Money is USD, prices are USD/hour. */
export interface Costs {
  readonly budget: BurstView["budget"];
  /** Bursts that cost something in this month, by burst pool and offer; leaks apart. */
  readonly bursts: readonly {
    readonly burstPool: string;
    readonly offer: string;
    readonly bursts: number;
    readonly machines: number;
    /** What those that are there now cost. */
    readonly hourly: number;
    readonly usd: number;
    /** The price is made up: nobody is billed. */
    readonly pretend: boolean;
  }[];
  readonly nodePools: readonly { readonly pool: string; readonly nodes: number; readonly hourly: number }[];
}

export function costsOf({ budget, rows, offers }: BurstView, nodes: readonly NodeView[], now: number): Costs {
  const month = budget.windows.find(({ window }) => window === "month")?.since ?? 0;
  const bursts = new Map<string, Costs["bursts"][number]>();
  for (const row of rows) {
    const { spent } = costOf(row, now, month);
    const runs = row.state === "launching" || row.state === "live" || row.state === "draining" || row.state === "retiring";
    if (spent === 0 && !runs) continue;
    const key = `${row.burstPool} ${row.offer}`;
    const before = bursts.get(key);
    bursts.set(key, {
      burstPool: row.burstPool,
      offer: row.offer,
      bursts: (before?.bursts ?? 0) + 1,
      machines: (before?.machines ?? 0) + row.nodes.length,
      hourly: (before?.hourly ?? 0) + (runs ? row.hourly : 0),
      usd: (before?.usd ?? 0) + spent,
      pretend: isPretend(row, offers),
    });
  }
  const pools = new Map<string, Costs["nodePools"][number]>();
  for (const { declaration } of nodes) {
    if (declaration.burst !== undefined) continue;
    const { pool, price } = declaration;
    const before = pools.get(pool);
    pools.set(pool, { pool, nodes: (before?.nodes ?? 0) + 1, hourly: (before?.hourly ?? 0) + (price?.hourly ?? 0) });
  }
  return {
    budget,
    bursts: [...bursts.values()].toSorted((a, b) => b.usd - a.usd || (a.offer < b.offer ? -1 : 1)),
    nodePools: [...pools.values()].toSorted((a, b) => (a.pool < b.pool ? -1 : 1)),
  };
}

export function costText({ budget, bursts, nodePools }: Costs): string {
  const right = "right" as const;
  const parts: string[] = [
    table(
      [
        { title: "bursts" },
        { title: "spent", align: right },
        { title: "committed", align: right },
        { title: "cap", align: right },
        { title: "used", align: right },
      ],
      budget.windows.map(windowCells),
    ),
  ];
  if (bursts.length === 0) parts.push("No burst has cost anything this month.");
  else {
    const columns = [{ title: "this month" }, { title: "offer" }, { title: "bursts", align: right }, { title: "machines", align: right }];
    const rows = bursts.map((one) => [
      one.burstPool,
      one.offer,
      String(one.bursts),
      String(one.machines),
      one.hourly === 0 ? "" : formatUsd(one.hourly),
      formatUsd(one.usd),
      one.pretend ? "pretend prices" : "",
    ]);
    parts.push(table([...columns, { title: "$/hour now", align: right }, { title: "cost", align: right }, { title: "" }], rows));
  }
  if (nodePools.length > 0) {
    const columns = [{ title: "node pool" }, { title: "nodes", align: right }, { title: "$/hour", align: right }];
    parts.push(
      table(
        columns,
        nodePools.map(({ pool, nodes, hourly }) => [pool, String(nodes), formatUsd(hourly)]),
      ),
    );
  }
  if (budget.leaked.bursts.length > 0) {
    parts.push([...budgetLines({ windows: [], leaked: budget.leaked }), "Try again to end them: spillway fsck --fix"].join("\n"));
  }
  return parts.join("\n\n");
}

const windowNames: Record<BudgetWindow["window"], string> = { hour: "per hour, now", day: "today", month: "this month" };

function windowCells(window: BudgetWindow): string[] {
  const unit = window.window === "hour" ? "/h" : "";
  const used = percentOf(window);
  return [
    windowNames[window.window],
    `${formatUsd(window.spent)}${unit}`,
    `${formatUsd(window.committed)}${unit}`,
    window.cap === undefined ? "none" : `${formatUsd(window.cap)}${unit}`,
    window.warning ? paint("yellow", used) : used,
  ];
}
