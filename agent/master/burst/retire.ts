/**
 * Which bursts go, and when: an idle one is drained, which cordons it first, and deleted in a later plan, so that no task
 * is placed on a machine that is on its way out. A node that is silent is no reason to end anything.
 */
import type { BurstRow } from "../../contract/ledger.ts";
import type { RetireDecision } from "../../contract/plan.ts";
import { formatDuration } from "../../contract/quantities.ts";
import type { MoneyContext } from "./held.ts";
import type { PlanOptions } from "./options.ts";
import type { Situation } from "./situation.ts";

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

/** Of a live burst: whether it is idle or nobody has come. `wanted`: a waiting task is about to be placed on it. */
export function whenLive(row: BurstRow, wanted: boolean, { situation, policy, now }: RetireContext): Verdict {
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
  if (wanted) return { reason: "a waiting task is about to be placed on it" };
  let idleSince = row.at.live ?? now;
  for (const { name, tasks = 0, burst } of present) {
    if (tasks > 0) return { reason: `${name} has ${tasks === 1 ? "1 task" : `${tasks} tasks`}` };
    if (burst === undefined || burst.idleSince === undefined) return { reason: `it is not known since when ${name} is idle` };
    if (burst.contact === "silent") return { reason: `${name} is silent, which is no reason to end it` };
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
