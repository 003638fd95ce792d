/** Which rule of the policy holds for a waiting job. */
import type { BurstPolicy, BurstRule } from "../../contract/policy.ts";
import { formatDuration } from "../../contract/quantities.ts";
import type { PendingJob } from "../scheduler/place.ts";

export interface RuleFound {
  /** The first rule is 1. */
  readonly position: number;
  readonly rule: BurstRule;
}

/** The first rule that holds, or why none does (yet). */
export function ruleFor(
  { priority, waitingSince }: Pick<PendingJob, "priority" | "waitingSince">,
  { rules }: Pick<BurstPolicy, "rules">,
  now: number,
): RuleFound | { readonly notYet?: RuleFound; readonly reason: string } {
  const waitedMs = now - waitingSince;
  let soonest: RuleFound | undefined;
  for (const [index, rule] of rules.entries()) {
    if (priority < rule.priorityAtLeast) continue;
    const found = { position: index + 1, rule };
    if (waitedMs >= rule.pendingForMs) return found;
    if (soonest === undefined || rule.pendingForMs < soonest.rule.pendingForMs) soonest = found;
  }
  if (soonest === undefined) return { reason: `no burst rule is for priority ${priority}` };
  const waits = `it waits for ${formatDuration(Math.max(0, waitedMs))}`;
  return { notYet: soonest, reason: `${waits}; rule ${soonest.position} holds after ${formatDuration(soonest.rule.pendingForMs)}` };
}

/** The rule that will hold first for a job of this priority, if any does at some time. */
export function soonestRule(priority: number, policy: Pick<BurstPolicy, "rules">): BurstRule | undefined {
  const found = ruleFor({ priority, waitingSince: 0 }, policy, 0);
  return "rule" in found ? found.rule : found.notYet?.rule;
}
