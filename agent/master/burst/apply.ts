/**
 * Applies a plan to the ledger. What it was made for has changed meanwhile: each decision is looked at again, and what no
 * longer holds is left to the next plan. Nothing is bought here; intents are put down for whoever does that.
 */
import { SpillwayError } from "../../contract/errors.ts";
import type { BurstRow } from "../../contract/ledger.ts";
import type { BurstPlan, LaunchDecision, RetireDecision } from "../../contract/plan.ts";
import type { Leader } from "../leader.ts";
import { withReplacedFirst } from "../lifecycle/replaced-first.ts";
import { pendingJobs } from "../scheduler/snapshot.ts";
import { blockedBy, offersOf } from "./burster.ts";
import { eventOf } from "./follow.ts";
import { intentRow } from "./intent.ts";
import { move, record } from "./ledger.ts";
import { tellBudget, tellDecision, tellRefusals } from "./notices.ts";
import { planDefaults } from "./options.ts";
import type { PlanInput } from "./plan.ts";
import { isForsaken } from "./retire.ts";
import { launchRefusal } from "./revalidate.ts";
import { factsOf, policyOf, rowsThatMatter } from "./snapshot.ts";

/** `input` is what the plan was made for. Memory changes before the first await; resolves when all of it is durable and told. */
export async function applyPlan(leader: Leader, made: BurstPlan, input: PlanInput): Promise<void> {
  leader.bursting.lastPlan = made;
  const before = new Map(input.ledger.map((row) => [row.id, row]));
  const acts: Promise<void>[] = [];
  for (const decision of made.retire) {
    if (stillHolds(leader, decision, before.get(decision.burst))) acts.push(retire(leader, decision));
  }
  for (const decision of made.launch) {
    const row = intentOf(leader, decision, input);
    if (row !== undefined) acts.push(intend(leader, row, made));
  }
  await Promise.all(acts);
  tellRefusals(leader, made, input);
  tellBudget(leader, made);
}

/** Any move of the row since then makes it another situation; a task that came meanwhile is no idleness. */
function stillHolds(leader: Leader, { burst, action, cause }: RetireDecision, planned: BurstRow | undefined): boolean {
  const { pool } = leader;
  const row = pool.bursts.get(burst);
  if (row === undefined || row !== planned) return false;
  if (action === "delete" && row.state === "live") return isOutOfReach(leader, row);
  const isIdle = row.nodes.every((id) => (pool.nodes.get(id)?.tasks.size ?? 0) === 0);
  return action !== "drain" || cause !== "idle" || isIdle;
}

/** A node that was silent for too long may be back, or declared again. */
function isOutOfReach(leader: Leader, row: BurstRow): boolean {
  const context = { policy: policyOf(leader), options: planDefaults, now: leader.clock.now() };
  const facts = row.nodes.flatMap((id) => {
    const node = leader.pool.nodes.get(id);
    return node === undefined ? [] : factsOf(leader, node);
  });
  const present = facts.filter(({ contact }) => contact !== "never");
  return present.length === 0 || present.some((one) => isForsaken(one, context));
}

async function retire(leader: Leader, decision: RetireDecision): Promise<void> {
  try {
    await move(leader, decision.burst, eventOf(decision, leader.clock.now()));
  } catch (error) {
    if (!(error instanceof SpillwayError) || error.code !== "ledger-refused") throw error;
  }
}

/** The row to put down; undefined when it must not be, or not for this any more. */
function intentOf(leader: Leader, decision: LaunchDecision, { policy }: PlanInput): BurstRow | undefined {
  const { pool, clock } = leader;
  if (pool.burstPolicy !== policy || pool.bursts.has(decision.burst)) return undefined;
  const waiting = new Set(withReplacedFirst(leader, pendingJobs(leader, 1)).map(({ job }) => job));
  if (!decision.for.some(({ job }) => waiting.has(job))) return undefined;
  const context = { policy, options: planDefaults, now: clock.now() };
  const row = intentRow(decision, context);
  const refusal = launchRefusal(row, { ...context, rows: rowsThatMatter(leader), offers: offersOf(leader), paused: blockedBy(leader) });
  return refusal === undefined ? row : undefined;
}

async function intend(leader: Leader, row: BurstRow, made: BurstPlan): Promise<void> {
  await record(leader, [row]);
  tellDecision(leader, row, made);
}
