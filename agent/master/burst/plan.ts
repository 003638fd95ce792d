/**
 * What should be bought, kept and given back: a pure function of what is there, what waits, the policy, what can be
 * bought, the ledger and the time. It proposes; whoever applies it looks at the present again. Capacity on its way
 * counts as if it were there, so nothing is bought twice; nothing is bought that no waiting task fits on.
 */
import type { BurstRow } from "../../contract/ledger.ts";
import type { BurstPlan, DemandExplanation, Offer, RetireDecision } from "../../contract/plan.ts";
import type { BurstPolicy } from "../../contract/policy.ts";
import type { PendingJob } from "../scheduler/place.ts";
import { advance } from "./advance.ts";
import { budgetOf, budgetRefusal, squeeze } from "./budget.ts";
import { eventOf } from "./follow.ts";
import type { MoneyContext } from "./held.ts";
import { launches } from "./launch.ts";
import { type PlanOptions, planDefaults } from "./options.ts";
import { afterDrain, type RetireContext, type Verdict, whenLive } from "./retire.ts";
import {
  type BurstSnapshot,
  type Demand,
  demandsOf,
  drainingReason,
  type Forecast,
  forecast,
  placeDemands,
  situationOf,
  without,
} from "./situation.ts";

export interface PlanInput {
  readonly snapshot: BurstSnapshot;
  /** What waits, the scheduler's last round done. */
  readonly pending: readonly PendingJob[];
  readonly policy: BurstPolicy;
  readonly offers: readonly Offer[];
  /** At least the rows that are not gone, those that have ended lately, and those of this month that are not in `settled`. */
  readonly ledger: readonly BurstRow[];
  /** USD of this day and month of bursts that are over and not among the rows. */
  readonly settled?: MoneyContext["settled"];
  /** Ids of bursts of which their cloud takes a machine away just now. */
  readonly reclaimed?: readonly string[];
  /** ms since the epoch. */
  readonly now: number;
  /** Why nothing may be bought now (paused, closing); undefined when it may. */
  readonly paused?: string | undefined;
}

/** Deterministic: the order of its inputs does not matter, but for the policy's rules. */
export function plan(input: PlanInput, options: PlanOptions = planDefaults): BurstPlan {
  const { policy, now, paused } = input;
  const settled = input.settled ?? { day: 0, month: 0 };
  const before = situationOf(input.snapshot, input.ledger, { options, now });
  const rows = new Map(before.rows.map((row) => [row.id, row]));
  const retire: RetireDecision[] = [];
  const reasons = new Map<string, string>();
  const decide = (row: BurstRow, { reason, decision }: Verdict) => {
    reasons.set(row.id, reason);
    if (decision === undefined) return;
    retire.push(decision);
    rows.set(row.id, advance(row, eventOf(decision, now), now));
  };

  for (const verdict of squeezed({ situation: before, policy, options, now, settled })) decide(verdict.row, verdict);
  const situation = situationOf(input.snapshot, [...rows.values()], { options, now });
  const context: RetireContext = { situation, policy, options, now, settled };
  const demands = demandsOf(input.pending, options);
  const expected = forecast(situation, demands, now);
  const explain = explainForecast(expected, context);
  let unplaced = expected.unplaced;

  for (const row of before.rows.filter(({ state }) => state === "draining")) {
    const wanted = paused === undefined ? wantedAgain(row, unplaced, { ...context, rows: [...rows.values()] }) : undefined;
    if (wanted === undefined) {
      decide(row, afterDrain(row, context));
      continue;
    }
    const reason = `${wanted.map(({ job }) => job).join(", ")} would fit on it: it takes tasks again`;
    decide(row, { reason, decision: { burst: row.id, action: "uncordon", reason } });
    unplaced = without(unplaced, wanted);
    for (const { job, tasks } of wanted)
      explain.push({ job, tasks, outcome: "uncordon", bursts: [row.id], reason: "a burst that was about to go is kept", candidates: [] });
  }

  const { onTheWay } = situation;
  const { reclaimed = [] } = input;
  const bought = launches(unplaced, [...rows.values()], {
    policy,
    options,
    now,
    settled,
    offers: input.offers,
    onTheWay,
    paused,
    reclaimed,
  });
  const wanted = new Set(expected.placed.map(({ node }) => node));
  for (const row of rows.values()) {
    if (reasons.has(row.id)) continue;
    decide(
      row,
      verdictOn(
        row,
        row.nodes.some((id) => wanted.has(id)),
        context,
      ),
    );
  }
  return {
    launch: [...bought.launch],
    retire,
    explain: {
      demands: inOrder(merged([...explain, ...bought.explain]), demands).slice(0, options.maxExplained),
      bursts: before.rows.filter(({ state }) => state !== "gone").map(({ id }) => ({ burst: id, reason: reasons.get(id) ?? "" })),
      budget: budgetOf(before.rows, context),
    },
  };
}

function verdictOn(row: BurstRow, isWanted: boolean, context: RetireContext): Verdict {
  if (row.state === "live") return whenLive(row, isWanted, context);
  if (row.state !== "intent" || isWanted) return { reason: row.why };
  const reason = "what it was to be bought for no longer waits, or has found a place";
  return { reason, decision: { burst: row.id, action: "withdraw", reason } };
}

function squeezed(context: RetireContext): (Verdict & { row: BurstRow })[] {
  const { situation, policy, now } = context;
  const priorityOf = (row: BurstRow) => {
    const tops = row.nodes.flatMap((id) => situation.nodes.get(id)?.burst?.topPriority ?? []);
    // What has no task loses nothing; what was not reached yet is for whom it was bought.
    const isIdle = row.nodes.every((id) => situation.nodes.has(id) && !situation.onTheWay.has(id));
    return tops.length > 0 ? Math.max(...tops) : isIdle ? -1 : row.priority;
  };
  return squeeze(situation.rows, priorityOf, context).map(({ row, reason }) => {
    const deadline = now + policy.retire.drainDeadlineMs;
    const decision: RetireDecision =
      row.state === "intent"
        ? { burst: row.id, action: "withdraw", reason }
        : { burst: row.id, action: "drain", cause: "budget", deadline, reason };
    return { row, reason, decision };
  });
}

/** The waiting tasks that a draining burst would take, when it may take tasks again. */
function wantedAgain(
  row: BurstRow,
  unplaced: readonly Demand[],
  context: RetireContext & { readonly rows: readonly BurstRow[] },
): Forecast["placed"] | undefined {
  const { situation, now } = context;
  if (row.drain === undefined || row.drain.cause === "operator" || row.drain.deadline <= now) return undefined;
  const nodes = row.nodes.flatMap((id) => {
    const node = situation.nodes.get(id);
    if (node?.burst?.contact !== "ready") return [];
    const { unavailable, ...rest } = node;
    return unavailable === undefined || unavailable === drainingReason ? [rest] : [];
  });
  const { placed } = placeDemands(nodes, unplaced, now);
  if (placed.length === 0) return undefined;
  const again = advance(row, { type: "uncordon", reason: "" }, now);
  return budgetRefusal(context.rows, again, context) === undefined ? placed : undefined;
}

function explainForecast({ placed }: Forecast, { situation }: RetireContext): DemandExplanation[] {
  const burstOf = new Map(situation.rows.flatMap((row) => row.nodes.map((id) => [id, row.id] as const)));
  return placed.map(({ job, node, tasks }) => {
    const burst = situation.onTheWay.has(node) ? burstOf.get(node) : undefined;
    return burst === undefined
      ? { job, tasks, outcome: "room", bursts: [], reason: "there is room for it now", candidates: [] }
      : { job, tasks, outcome: "on-the-way", bursts: [burst], reason: "a burst with room for it is on the way", candidates: [] };
  });
}

/** One explanation for each job and outcome; the first with candidates says why, the others add their bursts. */
function merged(list: readonly DemandExplanation[]): DemandExplanation[] {
  const byKey = new Map<string, DemandExplanation>();
  for (const one of list) {
    const key = `${one.job} ${one.outcome}`;
    const first = byKey.get(key);
    const bursts = [...new Set([...(first?.bursts ?? []), ...one.bursts])];
    const teller = first === undefined || (first.candidates.length === 0 && one.candidates.length > 0) ? one : first;
    byKey.set(key, { ...teller, tasks: (first?.tasks ?? 0) + one.tasks, bursts });
  }
  return [...byKey.values()];
}

function inOrder(list: readonly DemandExplanation[], demands: readonly Demand[]): DemandExplanation[] {
  const positions = new Map(demands.map(({ job }, position) => [job.job, position]));
  return list.toSorted((a, b) => (positions.get(a.job) ?? 0) - (positions.get(b.job) ?? 0));
}
