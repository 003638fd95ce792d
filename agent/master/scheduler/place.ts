/**
 * Which pending task goes to which node: a pure function of a snapshot, so that it can be tested, replayed and explained.
 * Higher priority first, then the order of submission. A task goes to the node it fills best: where the largest share
 * left over of any resource is smallest; nodes with GPUs come last for tasks that need none; ties go by name.
 *
 * So that a big task is not starved by a stream of small ones, the oldest unplaced job that has waited `reserveAfterMs`
 * reserves the node that lacks the least for it: jobs after it in the order get nothing on that node. What that node
 * lacks can only shrink while it is reserved, so the task is placed as soon as enough of its present tasks have ended.
 * There is one reservation per node pool that is asked for.
 */
import { formatCpu, formatMemory } from "../../contract/quantities.ts";
import { type Resources, shortages, subtractResources } from "../../contract/resources.ts";

export interface SnapshotNode {
  readonly name: string;
  readonly pool: string;
  /** Undefined when it takes tasks; else a few words that say why not: "suspect", "joining". */
  readonly unavailable?: string;
  readonly capacity: Resources;
  readonly free: Resources;
  /** How many it has; none, when left out. */
  readonly tasks?: number;
}

export interface Snapshot {
  readonly nodes: readonly SnapshotNode[];
}

/** The pending indexes of one job; all have the same shape. */
export interface PendingJob {
  readonly job: string;
  readonly priority: number;
  /** The order of submission. */
  readonly seq: number;
  readonly resources: Resources;
  readonly nodePool?: string;
  /** Ascending. */
  readonly indexes: readonly number[];
  /** ms since the epoch: since when the first of them waits. */
  readonly waitingSince: number;
}

export interface Placement {
  readonly job: string;
  readonly index: number;
  readonly node: string;
  /** The largest share of any resource left on the node after it, 0–1; the smallest won. */
  readonly leftover: number;
  /** How many nodes it fitted on. */
  readonly candidates: number;
  /** Some of those, by name. */
  readonly candidateNames: readonly string[];
  /** Why each other node was rejected; undefined when too many nodes were looked at in this round to say it for each. */
  readonly rejections: readonly Rejection[] | undefined;
}

/** Nodes that were rejected for the same reason. */
export interface Rejection {
  readonly reason: string;
  readonly nodes: readonly string[];
  readonly detail?: string;
}

export interface Unplaced {
  readonly job: string;
  readonly indexes: readonly number[];
  readonly rejections: readonly Rejection[];
}

export interface Round {
  readonly placements: readonly Placement[];
  readonly unplaced: readonly Unplaced[];
  /** The bound was reached: there may be more to place in another round. */
  readonly more: boolean;
}

export interface PlaceOptions {
  readonly maxPlacements: number;
  readonly reserveAfterMs: number;
}

/** However small its tasks, a node is a computer with one agent. */
export const maxTasksPerNode = 500;
/** Of a placement's candidates so many are named. */
const maxCandidateNames = 10;
/** So many nodes are looked at in a round only to say why they did not get a task. */
const maxRejectionsLookedAt = 20_000;

export const placeDefaults: PlaceOptions = { maxPlacements: 300, reserveAfterMs: 30_000 };

/** `now` is ms since the epoch. Deterministic: the order of its inputs does not matter. */
export function place(snapshot: Snapshot, pending: readonly PendingJob[], now: number, options: PlaceOptions = placeDefaults): Round {
  const nodes: Candidate[] = snapshot.nodes
    .toSorted((a, b) => compareText(a.name, b.name))
    .map((node) => ({ node, free: node.free, tasks: node.tasks ?? 0 }));
  const queue = pending.toSorted((a, b) => b.priority - a.priority || a.seq - b.seq || compareText(a.job, b.job));
  const placements: Placement[] = [];
  const unplaced: Unplaced[] = [];
  /** Shapes that fitted nowhere. Room only shrinks within a round, so they need not be tried again. */
  const hopeless = new Map<string, readonly Rejection[]>();
  const reservedPools = new Set<string>();
  let lookedAt = 0;

  for (const job of queue) {
    const shape = shapeOf(job);
    let next = 0;
    let rejections = hopeless.get(shape);
    while (rejections === undefined) {
      const index = job.indexes[next];
      if (index === undefined) break;
      if (placements.length >= options.maxPlacements) return { placements, unplaced, more: true };
      const best = bestNode(nodes, job);
      if (best === undefined) {
        rejections = rejectionsOf(nodes, job);
        hopeless.set(shape, rejections);
        break;
      }
      lookedAt += nodes.length;
      const rejectedOthers = lookedAt > maxRejectionsLookedAt ? undefined : rejectionsOf(nodes, job);
      best.candidate.free = subtractResources(best.candidate.free, job.resources);
      best.candidate.tasks += 1;
      placements.push({
        job: job.job,
        index,
        node: best.candidate.node.name,
        leftover: best.leftover,
        candidates: best.candidates,
        candidateNames: best.candidateNames,
        rejections: rejectedOthers,
      });
      next += 1;
    }
    if (rejections === undefined) continue;
    unplaced.push({ job: job.job, indexes: job.indexes.slice(next), rejections });
    const pool = job.nodePool ?? "";
    if (now - job.waitingSince >= options.reserveAfterMs && !reservedPools.has(pool)) {
      const reserved = nodeToReserve(nodes, job);
      if (reserved !== undefined) {
        reserved.reservedFor = job.job;
        reservedPools.add(pool);
      }
    }
  }
  return { placements, unplaced, more: false };
}

interface Candidate {
  readonly node: SnapshotNode;
  free: Resources;
  tasks: number;
  reservedFor?: string;
}

function bestNode(
  nodes: readonly Candidate[],
  job: PendingJob,
): { candidate: Candidate; leftover: number; candidates: number; candidateNames: string[] } | undefined {
  let best: Candidate | undefined;
  let bestScore = Number.POSITIVE_INFINITY;
  let bestLeftover = 0;
  let candidates = 0;
  const candidateNames: string[] = [];
  for (const candidate of nodes) {
    if (!takes(candidate, job)) continue;
    candidates += 1;
    if (candidateNames.length < maxCandidateNames) candidateNames.push(candidate.node.name);
    const leftover = largestShareLeft(candidate, job.resources);
    const wastesGpus = job.resources.gpus.length === 0 && candidate.node.capacity.gpus.length > 0;
    const score = leftover + (wastesGpus ? 1 : 0);
    if (score < bestScore) {
      best = candidate;
      bestScore = score;
      bestLeftover = leftover;
    }
  }
  return best === undefined ? undefined : { candidate: best, leftover: bestLeftover, candidates, candidateNames };
}

/** The same answer as `rejectionOf`, without making a text of it. */
function takes({ node, free, tasks, reservedFor }: Candidate, { resources: need, nodePool }: PendingJob): boolean {
  if (node.unavailable !== undefined || reservedFor !== undefined || tasks >= maxTasksPerNode) return false;
  if (nodePool !== undefined && node.pool !== nodePool) return false;
  if (need.cpu > free.cpu || need.memory > free.memory || need.disk > free.disk) return false;
  return need.gpus.length === 0 || shortages(need, free).length === 0;
}

/** Why a node can't take one task of the job now, in a few words; undefined when it can. */
function rejectionOf(candidate: Candidate, job: PendingJob): string | undefined {
  const { node } = candidate;
  if (job.nodePool !== undefined && node.pool !== job.nodePool) return `not in the node pool ${job.nodePool}`;
  if (node.unavailable !== undefined) return node.unavailable;
  const tooSmall = shortages(job.resources, node.capacity);
  if (tooSmall.length > 0) return `too small in ${tooSmall.join(" and ")}`;
  const short = shortages(job.resources, candidate.free);
  if (short.length > 0) return `too little ${short.join(" and ")} free`;
  if (candidate.tasks >= maxTasksPerNode) return `full: it has ${maxTasksPerNode} tasks, the most a node takes`;
  if (candidate.reservedFor !== undefined) return `reserved for job ${candidate.reservedFor}, which has waited longer`;
  return undefined;
}

function rejectionsOf(nodes: readonly Candidate[], job: PendingJob): Rejection[] {
  const groups = new Map<string, Candidate[]>();
  for (const candidate of nodes) {
    const reason = rejectionOf(candidate, job);
    if (reason === undefined) continue;
    const group = groups.get(reason);
    if (group === undefined) groups.set(reason, [candidate]);
    else group.push(candidate);
  }
  return [...groups]
    .map(([reason, group]) => {
      const detail = bestFree(group, job.resources);
      return { reason, nodes: group.map(({ node }) => node.name), ...(detail === undefined ? {} : { detail }) };
    })
    .toSorted((a, b) => b.nodes.length - a.nodes.length || compareText(a.reason, b.reason));
}

/** The best free figure among nodes of each resource that is short there: "best has 1.5 cpu free (m2)". */
function bestFree(group: readonly Candidate[], need: Resources): string | undefined {
  const parts: string[] = [];
  const first = group[0];
  if (first === undefined || first.node.unavailable !== undefined) return undefined;
  for (const name of shortages(need, first.free)) {
    let best = first;
    for (const candidate of group) if (amountOf(candidate.free, name) > amountOf(best.free, name)) best = candidate;
    parts.push(`${amountText(best.free, name)} free (${best.node.name})`);
  }
  return parts.length === 0 ? undefined : `best has ${parts.join(", ")}`;
}

/** The node that could take it and now lacks the least, as a share of the node. */
function nodeToReserve(nodes: readonly Candidate[], job: PendingJob): Candidate | undefined {
  let best: Candidate | undefined;
  let bestLack = Number.POSITIVE_INFINITY;
  for (const candidate of nodes) {
    const { node, free } = candidate;
    if (candidate.reservedFor !== undefined || node.unavailable !== undefined) continue;
    if (job.nodePool !== undefined && node.pool !== job.nodePool) continue;
    if (shortages(job.resources, node.capacity).length > 0) continue;
    const lack = Math.max(...shares(subtractResources(job.resources, free), node.capacity));
    if (lack < bestLack) {
      best = candidate;
      bestLack = lack;
    }
  }
  return best;
}

function largestShareLeft(candidate: Candidate, need: Resources): number {
  return Math.max(...shares(subtractResources(candidate.free, need), candidate.node.capacity));
}

/** Each amount as a share of the whole; a resource the whole does not have is left out. */
function shares(part: Resources, whole: Resources): number[] {
  const all = [0];
  if (whole.cpu > 0) all.push(part.cpu / whole.cpu);
  if (whole.memory > 0) all.push(part.memory / whole.memory);
  if (whole.disk > 0) all.push(part.disk / whole.disk);
  for (const gpu of whole.gpus) all.push((part.gpus.find((other) => other.model === gpu.model)?.count ?? 0) / gpu.count);
  return all;
}

/** `name` as `shortages` gives it: cpu, memory, disk, gpu a100. */
export function amountOf(have: Resources, name: string): number {
  if (name === "cpu" || name === "memory" || name === "disk") return have[name];
  return have.gpus.find((gpu) => `gpu ${gpu.model}` === name)?.count ?? 0;
}

/** An amount of `have` for a person: `1.5 cpu`, `8 GiB memory`, `2 gpu a100`. */
export function amountText(have: Resources, name: string): string {
  const amount = amountOf(have, name);
  if (name === "cpu") return `${formatCpu(amount)} cpu`;
  return name === "memory" || name === "disk" ? `${formatMemory(amount)} ${name}` : `${amount} ${name}`;
}

/** Jobs of the same shape fit on the same nodes. */
function shapeOf(job: PendingJob): string {
  const { cpu, memory, disk, gpus } = job.resources;
  const models = gpus.toSorted((a, b) => compareText(a.model, b.model)).map((gpu) => `${gpu.count}×${gpu.model}`);
  return `${job.nodePool ?? ""}|${cpu}|${memory}|${disk}|${models.join(",")}`;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
