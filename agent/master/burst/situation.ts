/** What is there and what is on its way, as the scheduler would see it: the ground on which a plan is made. */
import type { BurstRow } from "../../contract/ledger.ts";
import { type PendingJob, place, placeDefaults, type SnapshotNode } from "../scheduler/place.ts";
import type { PlanOptions } from "./options.ts";
import { byId, compareText } from "./order.ts";

/** What the planner must know of a node that was bought; own nodes need none of it. */
export interface BurstNodeFacts {
  /** `never`: it was declared and has not joined; `silent`: suspect, disconnected or lost. */
  readonly contact: "never" | "ready" | "silent";
  /** ms since the epoch: since when it is silent; a master that restarts begins anew. Undefined while it is not. */
  readonly silentSince: number | undefined;
  /** ms since the epoch: since when it has no task; undefined while it has one. */
  readonly idleSince: number | undefined;
  /** The highest priority among its tasks; undefined when it has none. */
  readonly topPriority: number | undefined;
}

export interface BurstSnapshotNode extends SnapshotNode {
  readonly burst?: BurstNodeFacts;
}

/** The scheduler's snapshot with facts of the nodes that were bought. */
export interface BurstSnapshot {
  readonly nodes: readonly BurstSnapshotNode[];
}

/** What `unavailable` of a node is while only its drain keeps tasks away. */
export const drainingReason = "draining";

/** The tasks of a job that are looked at, with the indexes that still have no place. */
export interface Demand {
  readonly job: PendingJob;
  readonly indexes: readonly number[];
}

export interface Situation {
  /** Rows by id. */
  readonly rows: readonly BurstRow[];
  readonly nodes: ReadonlyMap<string, BurstSnapshotNode>;
  /** Ids of nodes that were bought and are waited for. */
  readonly onTheWay: ReadonlySet<string>;
}

/** `rows` and `snapshot` in any order. */
export function situationOf(
  snapshot: BurstSnapshot,
  rows: readonly BurstRow[],
  { options, now }: { readonly options: PlanOptions; readonly now: number },
): Situation {
  const nodes = new Map(snapshot.nodes.toSorted((a, b) => compareText(a.name, b.name)).map((node) => [node.name, node]));
  const sorted = byId(rows);
  const onTheWay = new Set(sorted.flatMap((row) => row.nodes.filter((id) => isWaitedFor(row, nodes.get(id), { id, options, now }))));
  return { rows: sorted, nodes, onTheWay };
}

function isWaitedFor(
  { state, at, joined }: BurstRow,
  node: BurstSnapshotNode | undefined,
  { id, options, now }: { readonly id: string; readonly options: PlanOptions; readonly now: number },
): boolean {
  const hasJoined = node === undefined ? id in joined : node.burst?.contact !== "never";
  if (hasJoined) return false;
  if (state === "intent" || state === "launching") return true;
  return state === "live" && now - (at.live ?? now) < options.joinTimeoutMs;
}

/** What the scheduler would do if all that is on its way were there. */
export interface Forecast {
  /** What has no place even then. */
  readonly unplaced: readonly Demand[];
  /** Jobs and how many of their tasks each node gets. */
  readonly placed: readonly { readonly job: string; readonly node: string; readonly tasks: number }[];
}

/** `demands` in the order of placement, see `demandsOf`. */
export function forecast({ rows, nodes, onTheWay }: Situation, demands: readonly Demand[], now: number): Forecast {
  const leaving = new Set(rows.filter(({ state }) => !takesTasks(state)).flatMap((row) => row.nodes));
  const present = [...nodes.values()]
    .filter(({ name }) => !onTheWay.has(name))
    .map((node) => (leaving.has(node.name) && node.unavailable === undefined ? { ...node, unavailable: drainingReason } : node));
  const coming = rows.flatMap((row) => row.nodes.filter((id) => onTheWay.has(id)).map((id) => emptyNode(id, row)));
  return placeDemands([...present, ...coming], demands, now, placeDefaults.reserveAfterMs);
}

/** By the scheduler's own rules. Without `reserveAfterMs` nothing is reserved for tasks that must wait. */
export function placeDemands(
  nodes: readonly SnapshotNode[],
  demands: readonly Demand[],
  now: number,
  reserveAfterMs = Number.POSITIVE_INFINITY,
): Forecast {
  const pending = demands.map(({ job, indexes }) => ({ ...job, indexes }));
  const maxPlacements = demands.reduce((sum, { indexes }) => sum + indexes.length, 0) + 1;
  const round = place({ nodes }, pending, now, { maxPlacements, reserveAfterMs });
  const unplaced = new Map(round.unplaced.map((one) => [one.job, one.indexes]));
  const counts = new Map<string, { job: string; node: string; tasks: number }>();
  for (const { job, node } of round.placements) {
    const key = `${job} ${node}`;
    const count = counts.get(key);
    if (count === undefined) counts.set(key, { job, node, tasks: 1 });
    else count.tasks += 1;
  }
  return {
    unplaced: demands.flatMap(({ job }) => {
      const indexes = unplaced.get(job.job);
      return indexes === undefined ? [] : [{ job, indexes }];
    }),
    placed: [...counts.values()],
  };
}

/** Pending jobs in the order of placement, as far as the bounds go. */
export function demandsOf(pending: readonly PendingJob[], { maxTasks, maxTasksPerJob }: PlanOptions): Demand[] {
  const demands: Demand[] = [];
  let left = maxTasks;
  for (const job of pending.toSorted((a, b) => b.priority - a.priority || a.seq - b.seq || compareText(a.job, b.job))) {
    const indexes = job.indexes.slice(0, Math.min(left, maxTasksPerJob));
    if (indexes.length === 0) continue;
    left -= indexes.length;
    demands.push({ job, indexes });
  }
  return demands;
}

/** A machine of a burst pool as it will be when it has joined. */
export function emptyNode(name: string, { burstPool, shape }: Pick<BurstRow, "burstPool" | "shape">): SnapshotNode {
  return { name, pool: burstPool, capacity: shape, free: shape };
}

function takesTasks(state: BurstRow["state"]): boolean {
  return state === "intent" || state === "launching" || state === "live";
}

/** The demands less what was given a place. */
export function without<T extends Demand>(demands: readonly T[], placed: Forecast["placed"]): T[] {
  const counts = new Map<string, number>();
  for (const { job, tasks } of placed) counts.set(job, (counts.get(job) ?? 0) + tasks);
  return demands.flatMap((demand) => {
    const indexes = demand.indexes.slice(counts.get(demand.job.job) ?? 0);
    return indexes.length === 0 ? [] : [{ ...demand, indexes }];
  });
}
