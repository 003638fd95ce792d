/** What is told of a plan: what was decided with all that was looked at, why a job gets no machine, and that money runs out. Each once. */
import type { BudgetWindow, BurstRow } from "../../contract/ledger.ts";
import type { BurstPlan, Candidate, DemandExplanation } from "../../contract/plan.ts";
import { formatUsd } from "../../contract/quantities.ts";
import { type Leader, tell } from "../leader.ts";
import { leaseMs } from "./burster.ts";
import type { PlanInput } from "./plan.ts";
import { factsOf } from "./tellings.ts";

const maxCandidatesTold = 20;
const maxJobsTold = 5;
/** Events looked through for a warning that an earlier run of the master has given. */
const maxEventsSearched = 500;

/** An intent is in the ledger: which offers were looked at for it, and why it was not another. */
export function tellDecision(leader: Leader, row: BurstRow, { explain }: BurstPlan): void {
  const about = explain.demands.filter(({ bursts, outcome }) => outcome === "launch" && bursts.includes(row.id));
  const candidates = boundedCandidates(about.find((one) => one.candidates.length > 0)?.candidates ?? []);
  tell(leader, {
    kind: "burst-intent",
    subject: `burst/${row.id}`,
    message: `Burst ${row.id} is to be bought: ${row.reason}, ${formatUsd(row.hourly)}/h`,
    data: { ...factsOf(row), rule: row.rule, priority: row.priority, committed: row.committed, ...candidates },
  });
  for (const { job, tasks } of row.for.slice(0, maxJobsTold)) {
    leader.bursting.toldRefusals.delete(job);
    tell(leader, {
      kind: "job-bursts",
      subject: `job/${job}`,
      message: `Burst ${row.id} is to be bought for ${tasks === 1 ? "1 task" : `${tasks} tasks`} of job ${job}: ${row.offer} at ${formatUsd(row.hourly)}/h`,
      data: { burst: row.id, offer: row.offer, hourly: row.hourly, tasks, ...candidates },
    });
  }
}

/** Why nothing is bought for a job that waits: told when it begins and when the reason becomes another. */
export function tellRefusals(leader: Leader, { explain }: BurstPlan, { policy, pending }: PlanInput): void {
  const { bursting, clock, pool } = leader;
  const waiting = new Set(pending.map(({ job }) => job));
  for (const job of bursting.toldRefusals.keys())
    if ((pool.jobs.get(job)?.counts.pending ?? 0) === 0 && !waiting.has(job)) bursting.toldRefusals.delete(job);
  if (policy !== pool.burstPolicy) return;
  // A master that has just started has not heard its burster yet, which is no reason to be told.
  if (bursting.burster === undefined && clock.monotonic() - bursting.startedAt < leaseMs) return;
  for (const demand of explain.demands) {
    if (demand.outcome !== "refused") continue;
    const key = kindOf(demand.reason);
    if (bursting.toldRefusals.get(demand.job) === key) continue;
    bursting.toldRefusals.set(demand.job, key);
    tell(leader, {
      kind: "job-burst-refused",
      subject: `job/${demand.job}`,
      message: `No machine is bought for job ${demand.job}: ${demand.reason}`,
      data: refusalData(demand),
    });
  }
}

/** 80 % of a cap are committed: told once for each window. */
export function tellBudget(leader: Leader, { explain }: BurstPlan): void {
  const { warned } = leader.bursting;
  for (const window of explain.budget.windows) {
    const key = window.window === "hour" ? "hour" : `${window.window} ${window.since}`;
    if (!window.warning) warned.delete(key);
    if (!window.warning || warned.has(key)) continue;
    warned.add(key);
    if (window.window !== "hour" && wasWarned(leader, key)) continue;
    tell(leader, {
      kind: "burst-budget-warning",
      subject: "environment",
      message: `Bursts: ${budgetText(window)} are committed`,
      data: { ...window, key },
    });
  }
}

function budgetText({ window, committed, cap = 0 }: BudgetWindow): string {
  const percent = cap === 0 ? 100 : Math.floor((committed / cap) * 100);
  const per = window === "hour" ? " an hour" : window === "day" ? " of this day" : " of this month";
  return `${formatUsd(committed)} of ${formatUsd(cap)}${per} (${percent} %)`;
}

function wasWarned({ journal }: Leader, key: string): boolean {
  const events = journal.list({ subject: "environment", limit: maxEventsSearched, newest: true });
  return events.some(({ kind, data }) => kind === "burst-budget-warning" && data.key === key);
}

function refusalData({ rule, tasks, reason, candidates }: DemandExplanation) {
  return { reason, tasks, ...(rule === undefined ? {} : { rule }), ...boundedCandidates(candidates) };
}

function boundedCandidates(candidates: readonly Candidate[]) {
  // What was chosen must be among those that are told.
  const first = candidates.toSorted((a, b) => Number(b.chosen) - Number(a.chosen)).slice(0, maxCandidatesTold);
  return { candidates: first, ...(candidates.length > first.length ? { candidatesLeftOut: candidates.length - first.length } : {}) };
}

/** The same reason with other figures is the same reason. */
function kindOf(reason: string): string {
  return reason.replaceAll(/[\d.]+/g, "0").replaceAll(/\b0 (?:ms|s|min|h)\b/g, "0");
}
