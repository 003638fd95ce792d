/**
 * Which bursts go, and when: an idle one is drained, which cordons it first, and deleted in a later plan, so that no task
 * is placed on a machine that is on its way out. A node that is silent is no reason to end anything, until its own timer
 * must have ended it.
 */
import type { BurstRow } from "../../contract/ledger.ts";
import type { RetireDecision } from "../../contract/plan.ts";
import type { BurstPolicy } from "../../contract/policy.ts";
import { formatDuration } from "../../contract/quantities.ts";
import type { MoneyContext } from "./held.ts";
import type { PlanOptions } from "./options.ts";
import type { BurstNodeFacts, Situation } from "./situation.ts";

export interface RetireContext extends MoneyContext {
  readonly situation: Situation;
  readonly options: PlanOptions;
}

/** What becomes of one burst: a decision, or only why it stays as it is. */
export interface Verdict {
  readonly reason: string;
  readonly decision?: RetireDecision;
}

/** Of a draining burst: whether its drain is over. */
export function afterDrain(row: BurstRow, { situation, now }: RetireContext): Verdict {
  const tasks = row.nodes.reduce((sum, id) => sum + (situation.nodes.get(id)?.tasks ?? 0), 0);
  const leftMs = (row.drain?.deadline ?? now) - now;
  const held = tasks === 1 ? "1 task" : `${tasks} tasks`;
  if (tasks > 0 && leftMs > 0) return { reason: `it drains: ${held} left, which have ${formatDuration(leftMs)} to finish` };
  const reason = tasks === 0 ? "it is drained" : `the deadline of its drain has passed with ${held} left`;
  return { reason, decision: { burst: row.id, action: "delete", reason } };
}

/** Of a live burst: whether it is idle, nobody has come, or nobody is left. `wanted`: a waiting task is about to be placed on it. */
export function whenLive(row: BurstRow, wanted: boolean, context: RetireContext): Verdict {
  const { situation, policy, now } = context;
  const { idleForMs, minimumLifeMs, drainDeadlineMs } = policy.retire;
  const present = row.nodes.flatMap((id) => situation.nodes.get(id) ?? []).filter(({ burst }) => burst?.contact !== "never");
  const waitedFor = row.nodes.filter((id) => situation.onTheWay.has(id)).length;
  if (waitedFor > 0) return { reason: `${waitedFor} of its ${row.nodes.length} nodes have not joined yet` };
  const aliveMs = now - (row.at.live ?? now);
  if (present.length === 0) {
    const known = Object.keys(row.joined).length > 0;
    const reason = known ? "its nodes were removed from the pool" : `none of its nodes has joined within ${formatDuration(aliveMs)}`;
    return { reason, decision: { burst: row.id, action: known ? "delete" : "give-up", reason } };
  }
  const forsaken = present.find(({ burst }) => burst !== undefined && isForsaken(burst, context));
  if (forsaken !== undefined) {
    const reason = `${forsaken.name} was not heard of for ${formatDuration(silentMs(forsaken.burst, now))}: it has ended itself by now, or nobody can reach it any more`;
    return { reason, decision: { burst: row.id, action: "delete", reason } };
  }
  if (wanted) return { reason: "a waiting task is about to be placed on it" };
  let idleSince = row.at.live ?? now;
  for (const { name, tasks = 0, burst } of present) {
    if (tasks > 0) return { reason: `${name} has ${tasks === 1 ? "1 task" : `${tasks} tasks`}` };
    if (burst?.contact === "silent") {
      const limit = formatDuration(silenceLimitMs(context));
      return { reason: `${name} is silent for ${formatDuration(silentMs(burst, now))}, which is no reason to end it before ${limit}` };
    }
    if (burst?.idleSince === undefined) return { reason: `it is not known since when ${name} is idle` };
    idleSince = Math.max(idleSince, burst.idleSince);
  }
  const idleMs = now - idleSince;
  if (idleMs < idleForMs)
    return { reason: `it is idle for ${formatDuration(Math.max(0, idleMs))}; it goes after ${formatDuration(idleForMs)}` };
  if (aliveMs < minimumLifeMs)
    return { reason: `it is idle, but lives for ${formatDuration(aliveMs)} only; the least is ${formatDuration(minimumLifeMs)}` };
  const reason = `it is idle for ${formatDuration(idleMs)}`;
  return { reason, decision: { burst: row.id, action: "drain", cause: "idle", deadline: now + drainDeadlineMs, reason } };
}

/** Whether a node is silent for so long that waiting for it is of no use: it has ended itself by now, or nobody can reach it. */
export function isForsaken({ silentSince }: BurstNodeFacts, context: SilenceContext & { readonly now: number }): boolean {
  return silentSince !== undefined && context.now - silentSince >= silenceLimitMs(context);
}

interface SilenceContext {
  readonly policy: Pick<BurstPolicy, "expireAfterMs">;
  readonly options: Pick<PlanOptions, "silenceMarginMs">;
}

/** Silence ends nothing before. */
export function silenceLimitMs({ policy, options }: SilenceContext): number {
  return policy.expireAfterMs + options.silenceMarginMs;
}

function silentMs(facts: BurstNodeFacts | undefined, now: number): number {
  return Math.max(0, now - (facts?.silentSince ?? now));
}
