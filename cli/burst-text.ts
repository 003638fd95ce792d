/** Bursts, their money and why they are bought or not, as people read them. */
import type { BurstView } from "../agent/contract/burst-api.ts";
import { type BudgetView, type BudgetWindow, type BurstRow, costOf } from "../agent/contract/ledger.ts";
import type { BurstPlan, Candidate, DemandExplanation, LaunchDecision } from "../agent/contract/plan.ts";
import { formatUsd } from "../agent/contract/quantities.ts";
import { countOf, paint, paintState, plain, shortSpan, table } from "./output.ts";

export function burstTable(rows: readonly BurstRow[], offers: BurstView["offers"], now: number): string {
  const columns = [
    { title: "burst" },
    { title: "state" },
    { title: "nodes", align: "right" as const },
    { title: "offer" },
    { title: "$/hour", align: "right" as const },
    { title: "cost so far", align: "right" as const },
    { title: "age", align: "right" as const },
    { title: "why" },
  ];
  const cells = rows.map((row) => {
    const { spent, leaked } = costOf(row, now);
    return [
      row.id,
      paintState(row.state),
      nodesOf(row),
      `${row.offer}${isPretend(row, offers) ? " (pretend)" : ""}`,
      formatUsd(row.hourly),
      leaked > 0 ? `${formatUsd(spent)} + ${formatUsd(leaked)} leaked` : formatUsd(spent),
      shortSpan((row.at.gone ?? now) - (row.at.intent ?? now)),
      plain(row.state === "intent" || row.state === "launching" || row.state === "live" ? row.reason : row.why),
    ];
  });
  return table(columns, cells);
}

/** Whether its price is made up. What is no longer offered is known by its provider. */
export function isPretend({ offer, provider }: Pick<BurstRow, "offer" | "provider">, offers: BurstView["offers"]): boolean {
  return offers.find(({ id }) => id === offer)?.pretend ?? provider === "local";
}

/** `2`, or `1/2` while some have not joined. */
function nodesOf({ nodes, joined, state }: BurstRow): string {
  const there = Object.keys(joined).length;
  const isComing = state === "launching" || state === "live";
  return isComing && there < nodes.length ? `${there}/${nodes.length}` : String(nodes.length);
}

/** The rows that cost something now, leaks included. */
export function billed(rows: readonly BurstRow[]): BurstRow[] {
  return rows.filter(({ state }) => state !== "intent" && state !== "gone");
}

/** `2 live, 1 launching`; what is decided and not begun counts as launching. */
export function statesText(rows: readonly Pick<BurstRow, "state">[]): string {
  const counts = new Map<string, number>();
  for (const { state } of rows) {
    const name = state === "intent" ? "launching" : state;
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return [...counts].map(([state, count]) => `${count} ${state}`).join(", ");
}

/** One line per window that has a cap, then the leaks. */
export function budgetLines({ windows, leaked }: BudgetView): string[] {
  const lines = windows
    .filter(({ cap }) => cap !== undefined)
    .map((window, at) => `${(at === 0 ? "budget" : "").padEnd(10)}${windowText(window)}`);
  if (leaked.bursts.length > 0)
    lines.push(
      paint(
        "red",
        `${"leaked".padEnd(10)}${leaked.bursts.join(", ")}: ${formatUsd(leaked.hourly)}/h, ${formatUsd(leaked.spent)} so far, beyond the budget`,
      ),
    );
  return lines;
}

function windowText(window: BudgetWindow): string {
  const { spent, committed, cap = 0, warning } = window;
  const unit = window.window === "hour" ? "/h" : "";
  const now = window.window === "hour" ? "run" : "spent";
  const text = `${window.window.padEnd(6)} ${formatUsd(spent)}${unit} ${now}, ${formatUsd(committed)}${unit} committed of ${formatUsd(cap)}${unit} (${percentOf(window)})`;
  return warning ? paint("yellow", text) : text;
}

/** `84 %` of the cap; a dash without one. */
export function percentOf({ committed, cap }: Pick<BudgetWindow, "committed" | "cap">): string {
  if (cap === undefined) return "–";
  return cap === 0 ? "100 %" : `${Math.round((100 * committed) / cap)} %`;
}

/** Why nothing can be bought now, and what to do about it; undefined when it can. */
export function blockedLine({ blocked, paused, policy, burster }: BurstView, environment: string): string | undefined {
  if (policy === undefined) return `${environment} does not burst: its settings have no \`burst\`.`;
  if (blocked === undefined) return undefined;
  const next =
    paused !== undefined
      ? "To go on: spillway burst resume"
      : burster === undefined || burster.silent
        ? `\`./spillway up ${environment}\` starts the burster again.`
        : "";
  return paint("yellow", `Nothing is bought now: ${plain(blocked)}${/[.!?]$/.test(blocked) ? "" : "."} ${next}`.trimEnd());
}

const outcomes: Record<DemandExplanation["outcome"], string> = {
  room: "there is room",
  "on-the-way": "a burst is on its way",
  uncordon: "a burst that drains is kept",
  launch: "a burst is bought",
  "not-yet": "not yet",
  refused: "not bought",
};

/** What becomes of a job that waits: the decision, then each offer and why it was taken or not. */
export function demandLines(demand: DemandExplanation): string[] {
  const rule = demand.rule === undefined ? "" : ` (rule ${demand.rule})`;
  const bursts = demand.bursts.length === 0 ? "" : ` [${demand.bursts.join(", ")}]`;
  const chosenFirst = demand.candidates.toSorted((a, b) => Number(b.chosen) - Number(a.chosen));
  const width = Math.max(0, ...chosenFirst.map(({ offer }) => offer.length));
  return [`${outcomes[demand.outcome]}${rule}: ${plain(demand.reason)}${bursts}`, ...chosenFirst.map((one) => candidateText(one, width))];
}

function candidateText({ chosen, offer, hourly, fits, hourlyPerTask, rejected }: Candidate, width: number): string {
  const room =
    fits === undefined ? "" : `fits ${countOf(fits, "task")}${hourlyPerTask === undefined ? "" : `, ${formatUsd(hourlyPerTask)}/h each`}`;
  const why = rejected === undefined ? room : [plain(rejected), room].filter((part) => part !== "").join("; ");
  return `  ${chosen ? paint("green", "chosen") : "not   "}  ${offer.padEnd(width)}  ${`${formatUsd(hourly)}/h`.padStart(9)}  ${why}`.trimEnd();
}

export function planText(plan: BurstPlan): string {
  const { launch, retire, explain } = plan;
  const lines: string[] = [];
  const section = (title: string, rows: readonly string[]) => {
    if (rows.length > 0) lines.push(...(lines.length === 0 ? [] : [""]), paint("bold", title), ...rows.map((row) => `  ${row}`));
  };
  section("would be bought", launch.map(launchText));
  section(
    "would go, or stay after all",
    retire.map(({ burst, action, reason }) => `${burst}  ${action}: ${plain(reason)}`),
  );
  const decided = new Set(retire.map(({ burst }) => burst));
  section(
    "stays as it is",
    explain.bursts.filter(({ burst }) => !decided.has(burst)).map(({ burst, reason }) => `${burst}  ${plain(reason)}`),
  );
  section(
    "what waits",
    explain.demands.flatMap((demand) => {
      const [head = "", ...offers] = demandLines(demand);
      return [`${demand.job}  ${countOf(demand.tasks, "task")}: ${head}`, ...offers];
    }),
  );
  if (launch.length === 0 && retire.length === 0)
    lines.unshift("Nothing would be bought and nothing given back now.", ...(lines.length === 0 ? [] : [""]));
  const budget = budgetLines(explain.budget);
  return [...lines, ...(budget.length === 0 ? [] : ["", ...budget])].join("\n");
}

function launchText({ burst, nodes, offer, hourly, rule, reason }: LaunchDecision): string {
  const pretend = offer.pretend ? ", pretend price" : "";
  return `${burst}  ${nodes.length} × ${offer.id}  ${formatUsd(hourly)}/h${pretend}  (rule ${rule}): ${plain(reason)}`;
}
