/** What the planner decides on, taken from the leader's memory as plain data, so that another thread can have it. */

import { startOfMonth } from "../../contract/calendar.ts";
import type { BurstRow } from "../../contract/ledger.ts";
import type { BurstPolicy } from "../../contract/policy.ts";
import { parseTaskId } from "../../contract/workload.ts";
import type { Leader } from "../leader.ts";
import { reclaimOf } from "../lifecycle/notice-state.ts";
import { withReplacedFirst } from "../lifecycle/replaced-first.ts";
import type { PoolNode } from "../pool/pool.ts";
import { pendingJobs, takeSnapshot } from "../scheduler/snapshot.ts";
import { settle } from "./budget.ts";
import { blockedBy, offersOf } from "./burster.ts";
import { planDefaults } from "./options.ts";
import type { PlanInput } from "./plan.ts";
import { type BurstNodeFacts, type BurstSnapshot, demandsOf } from "./situation.ts";

/** What ended so lately counts for more than its cost: its offer may have failed, or was bought in vain. */
const recentMs = 2 * 3_600_000;

/** Where there is no policy, what is there still has to go in order. */
const withoutPolicy: BurstPolicy = {
  rules: [],
  maxNodes: 0,
  budget: { zone: "UTC" },
  retire: { idleForMs: 0, minimumLifeMs: 0, drainDeadlineMs: 300_000 },
  retryAfterMs: 300_000,
  expireAfterMs: 1_800_000,
};

export function policyOf({ pool }: Leader): BurstPolicy {
  return pool.burstPolicy ?? withoutPolicy;
}

export function planInput(leader: Leader): PlanInput {
  const { clock } = leader;
  const policy = policyOf(leader);
  // The planner looks at so many only: the others need not travel.
  const waiting = withReplacedFirst(leader, pendingJobs(leader, planDefaults.maxTasksPerJob));
  const pending = demandsOf(waiting, planDefaults).map(({ job, indexes }) => ({
    ...job,
    indexes,
  }));
  return {
    snapshot: takeBurstSnapshot(leader),
    pending,
    policy,
    offers: offersOf(leader),
    ...ledgerOf(leader),
    reclaimed: [...leader.pool.nodes.values()].flatMap(({ record }) =>
      reclaimOf(record) === undefined ? [] : (record.declaration.burst ?? []),
    ),
    now: clock.now(),
    paused: blockedBy(leader),
  };
}

export function takeBurstSnapshot(leader: Leader): BurstSnapshot {
  const nodes = takeSnapshot(leader).nodes.map((one) => {
    const node = leader.pool.nodes.get(one.name);
    return node?.record.declaration.burst === undefined ? one : { ...one, burst: factsOf(leader, node) };
  });
  return { nodes };
}

/** The rows a plan looks at one by one, and what all others have cost: those are many, and need not travel. */
function ledgerOf(leader: Leader): Pick<PlanInput, "settled"> & { readonly ledger: BurstRow[] } {
  const now = leader.clock.now();
  const rows = rowsThatMatter(leader);
  const isOld = ({ state, at }: BurstRow) => state === "gone" && at.leaked === undefined && (at.gone ?? now) < now - recentMs;
  const { settled } = settle(rows.filter(isOld), { policy: policyOf(leader), options: planDefaults, now });
  return { ledger: rows.filter((row) => !isOld(row)), settled };
}

/** All rows that are not gone, those that have cost something this month, and those that ended a moment ago: an offer may have failed. */
export function rowsThatMatter(leader: Leader): BurstRow[] {
  const now = leader.clock.now();
  const month = startOfMonth(now, policyOf(leader).budget.zone);
  return [...leader.pool.bursts.values()].filter(({ state, at }) => {
    const ended = at.gone ?? now;
    return state !== "gone" || ended >= now - recentMs || (at.launching !== undefined && ended >= month);
  });
}

export function factsOf({ pool, clock }: Leader, node: PoolNode): BurstNodeFacts {
  const contact = node.record.seen === undefined ? "never" : node.state === "ready" ? "ready" : "silent";
  // By the clock that never jumps, and without the time in which the master itself could hear nobody.
  const silentSince = contact === "silent" ? Math.round(clock.now() - (clock.monotonic() - node.heardAt)) : undefined;
  if (node.tasks.size === 0) return { contact, silentSince, idleSince: node.idleSince, topPriority: undefined };
  let topPriority: number | undefined;
  for (const taskId of node.tasks) {
    const priority = pool.jobs.get(parseTaskId(taskId)?.job ?? "")?.record.spec.priority ?? 0;
    if (topPriority === undefined || priority > topPriority) topPriority = priority;
  }
  return { contact, silentSince, idleSince: undefined, topPriority };
}
