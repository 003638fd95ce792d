/** Whether a node may get tasks, apart from its state: by the operator's word on it, its cloud's, and by what becomes of its burst. Pure. */
import type { BurstRow } from "../../contract/ledger.ts";
import type { Scheduling } from "../../contract/node.ts";
import { drainingReason } from "../burst/situation.ts";
import type { Pool, PoolNode } from "../pool/pool.ts";
import { noticeReason, noticeUnavailability, reclaimOf, standingNotice } from "./notice-state.ts";

export interface SchedulingState {
  readonly scheduling: Scheduling;
  /** A sentence; undefined while it is open. */
  readonly reason?: string;
  /** ms since the epoch; while it drains. */
  readonly deadline?: number;
}

type Cordoned = Pick<PoolNode, "record" | "tasks">;

/** `burst`: the row of the burst the node belongs to, if any. The strictest word counts; the cloud's reason is told in any case. */
export function schedulingOf(node: Cordoned, burst: BurstRow | undefined): SchedulingState {
  const byOthers = leaving(node, burst) ?? byOperator(node);
  const notice = standingNotice(node.record);
  if (notice === undefined) return byOthers ?? { scheduling: "open" };
  const reason = noticeReason(notice);
  return byOthers === undefined ? { scheduling: "cordoned", reason } : { ...byOthers, reason: `${reason}; ${byOthers.reason}` };
}

function byOperator(node: Cordoned): (SchedulingState & { readonly reason: string }) | undefined {
  const { cordon } = node.record;
  if (cordon === undefined) return undefined;
  if (cordon.drain === undefined) return { scheduling: "cordoned", reason: told("cordoned by the operator", cordon.reason) };
  if (isDrained(node)) return { scheduling: "drained", reason: told("drained by the operator", cordon.reason) };
  return { scheduling: "draining", reason: told("drained by the operator", cordon.reason), deadline: cordon.drain.deadline };
}

/** The row of the burst a node belongs to, if any. */
export function burstOf({ bursts }: Pool, { record: { declaration } }: PoolNode): BurstRow | undefined {
  return declaration.burst === undefined ? undefined : bursts.get(declaration.burst);
}

/** Why the scheduler gives it nothing, in a word; undefined when it may. */
export function unavailability(node: Cordoned, burst: BurstRow | undefined): string | undefined {
  // What outlasts the drain of the burst is told first: ending the drain would not open the node.
  const notice = standingNotice(node.record);
  if (notice !== undefined) return noticeUnavailability(notice);
  const operator = byOperator(node);
  if (operator !== undefined) return operator.scheduling;
  return leaving(node, burst) === undefined ? undefined : drainingReason;
}

/** Whether none of its tasks is left. */
export function isDrained({ record: { cordon }, tasks }: Cordoned): boolean {
  return cordon?.drain !== undefined && tasks.size === 0;
}

export interface Eviction {
  /** ms since the epoch: what runs on it is evicted from then on. */
  readonly at: number;
  readonly why: string;
  /** By its cloud's word alone. */
  readonly byCloud?: true;
}

/** Why what runs on it is or will be evicted, the first in time before the others. */
export function evictionsOf({ record }: Cordoned, burst: BurstRow | undefined): Eviction[] {
  const { cordon } = record;
  const reclaim = reclaimOf(record);
  const byCloud =
    reclaim === undefined
      ? undefined
      : { at: reclaim.heardAt, why: `its node is taken away by its cloud: ${reclaim.text}`, byCloud: true as const };
  const own =
    cordon?.drain === undefined
      ? undefined
      : { at: cordon.drain.deadline, why: told("its node is drained by the operator", cordon.reason) };
  const byBurst = burst === undefined ? undefined : evictionOfBurst(burst);
  return [byCloud, byBurst, own].filter((one) => one !== undefined).toSorted((a, b) => a.at - b.at);
}

function evictionOfBurst({ id, state, at, drain, why }: BurstRow): Eviction | undefined {
  if (state === "draining")
    return drain === undefined ? undefined : { at: drain.deadline, why: `the drain of burst ${id} is over (${why})` };
  if (takesTasks(state)) return undefined;
  return { at: at[state] ?? 0, why: `burst ${id} ends (${why})` };
}

/** A node of a burst that is on its way out. */
function leaving({ tasks }: Cordoned, burst: BurstRow | undefined): (SchedulingState & { readonly reason: string }) | undefined {
  if (burst === undefined || takesTasks(burst.state)) return undefined;
  const scheduling = tasks.size === 0 ? "drained" : "draining";
  const reason = `burst ${burst.id} is ${burst.state}: ${burst.why}`;
  const deadline = burst.state === "draining" ? burst.drain?.deadline : undefined;
  return { scheduling, reason, ...(deadline === undefined ? {} : { deadline }) };
}

/** Whether the nodes of a burst in this state may get tasks. */
export function takesTasks(state: BurstRow["state"]): boolean {
  return state === "intent" || state === "launching" || state === "live";
}

function told(what: string, reason: string): string {
  return reason === "" ? what : `${what}: ${reason}`;
}
