/** What a notice of its cloud means for a node: whether it gets tasks, and how long those it has may take to stop. Pure. */
import type { NodeNotice } from "../../contract/node.ts";
import type { NodeRecord } from "../pool/records.ts";

type Notice = NonNullable<NodeRecord["notice"]>;

/** The cloud's hour is the earliest: also a task that has no time left gets its signal before it is killed. */
const leastGraceMs = 2000;

/** The notice that counts, if any: not one that the operator has overruled. */
export function standingNotice({ notice }: Pick<NodeRecord, "notice">): Notice | undefined {
  return notice?.overruled === true ? undefined : notice;
}

/** The notice, when the cloud takes the machine away. */
export function reclaimOf(record: Pick<NodeRecord, "notice">): Notice | undefined {
  const notice = standingNotice(record);
  return notice?.kind === "reclaim" ? notice : undefined;
}

/** Why the node gets no task: a clause for people. */
export function noticeReason({ kind, at, text }: NodeNotice): string {
  return kind === "reclaim" ? `its cloud takes the machine at ${clockTime(at)}: ${text}` : text;
}

/** The same for a list of nodes with other reasons: alike for all nodes of a kind, so that they are told together. */
export function noticeUnavailability({ kind }: NodeNotice): string {
  return kind === "reclaim" ? "reclaimed by its cloud" : "cordoned by its cloud's advice";
}

/** The grace (ms) of a task that is stopped at `now` on a node with this notice: its own, within the time that is left. */
export function graceWithin(graceMs: number, reclaim: Pick<NodeNotice, "at"> | undefined, now: number): number {
  return reclaim === undefined ? graceMs : Math.min(graceMs, Math.max(leastGraceMs, reclaim.at - now));
}

/** `12:03:20 UTC` */
export function clockTime(at: number): string {
  return `${new Date(at).toISOString().slice(11, 19)} UTC`;
}
