/** The pool as people and programs see it through the API: pure functions of the memory. */
import type { ClosingView, PoolView } from "../../contract/api.ts";
import type { BurstRow } from "../../contract/ledger.ts";
import { type NodeView, nodeState } from "../../contract/node.ts";
import { formatDuration } from "../../contract/quantities.ts";
import { addResources, noResources } from "../../contract/resources.ts";
import type { JobDetail, JobState, JobView } from "../../contract/workload.ts";
import { schedulingOf } from "../lifecycle/cordon-state.ts";
import { capacityOf, jobStateOf, type Pool, type PoolIndex, type PoolJob, type PoolNode } from "./pool.ts";

type PoolRow = PoolView["rows"][number];
type Totals = Omit<PoolRow, "pool" | "where">;

export function poolView(pool: Pool, environment: { readonly id: string; readonly name: string }): PoolView {
  const rows = new Map<string, PoolRow>();
  for (const node of [...pool.nodes.values()].toSorted((a, b) => (a.record.name < b.record.name ? -1 : 1))) {
    const where = whereOf(node);
    const key = `${node.record.declaration.pool} ${where}`;
    rows.set(key, { pool: node.record.declaration.pool, where, ...plus(rows.get(key) ?? nothing, totalsOf(node)) });
  }
  const jobs = { pending: 0, running: 0, finished: 0 };
  let pendingTasks = 0;
  for (const job of pool.jobs.values()) {
    const state = jobStateOf(job);
    jobs[state === "pending" || state === "running" ? state : "finished"] += 1;
    pendingTasks += job.counts.pending;
  }
  const all = [...rows.values()];
  return {
    environment: environment.name,
    environmentId: environment.id,
    closing: pool.closing !== undefined,
    rows: all,
    total: all.reduce<Totals>((sum, row) => plus(sum, row), nothing),
    jobs,
    pendingTasks,
    ...burstCounts(pool),
  };
}

/** Bursts by state, when there are any that are not gone. */
function burstCounts({ bursts }: Pool): Pick<PoolView, "bursts"> {
  const counts: NonNullable<PoolView["bursts"]> = { launching: 0, live: 0, draining: 0, retiring: 0, leaked: 0, hourly: 0 };
  let any = false;
  for (const { state, hourly } of bursts.values()) {
    if (state === "gone") continue;
    any = true;
    // An intent is as good as on its way, but costs nothing yet.
    counts[state === "intent" ? "launching" : state] += 1;
    if (state !== "intent") counts.hourly = Number((counts.hourly + hourly).toFixed(6));
  }
  return any ? { bursts: counts } : {};
}

/** `burst`: the row of the burst it belongs to, if any. */
export function nodeView(node: PoolNode, burst?: BurstRow): NodeView {
  const { record } = node;
  const { scheduling, reason, deadline } = schedulingOf(node, burst);
  return {
    name: record.name,
    state: node.state,
    scheduling,
    ...(reason === undefined ? {} : { schedulingReason: reason }),
    ...(record.notice === undefined ? {} : { notice: { kind: record.notice.kind, at: record.notice.at, text: record.notice.text } }),
    ...(deadline === undefined ? {} : { drainDeadline: deadline }),
    stateReason: node.stateReason,
    stateSince: node.stateSince,
    declaredAt: record.declaredAt,
    declaration: record.declaration,
    ...(record.seen === undefined ? {} : { facts: record.seen.facts, agentVersion: record.seen.agentVersion, bundle: record.seen.bundle }),
    ...(node.agentSince === undefined ? {} : { agentSince: node.agentSince }),
    capacity: capacityOf(record) ?? noResources,
    used: node.used,
    tasks: node.tasks.size,
    ...(node.lastHeartbeatAt === undefined ? {} : { lastHeartbeatAt: node.lastHeartbeatAt }),
  };
}

export function jobView(job: PoolJob): JobView {
  const { record } = job;
  const state = jobStateOf(job);
  return {
    id: record.id,
    spec: record.spec,
    state,
    reason: jobReason(job, state),
    submittedAt: record.submittedAt,
    ...(record.finishedAt === undefined ? {} : { finishedAt: record.finishedAt }),
    counts: { ...job.counts },
  };
}

/** A job among others: without the values of its environment, which may be secrets and are no use in a list. */
export function jobSummary(job: PoolJob): JobView {
  const view = jobView(job);
  const env = Object.fromEntries(Object.keys(view.spec.env).map((name) => [name, "(not shown)"]));
  return { ...view, spec: { ...view.spec, env } };
}

export function jobDetail(job: PoolJob): JobDetail {
  return {
    ...jobView(job),
    indexes: job.indexes.map((index, position) => ({
      index: position,
      state: index.state,
      ...(index.state === "pending" ? { pendingReason: pendingReason(job, index) } : {}),
      attempts: [...index.attempts],
    })),
  };
}

export function closingView(pool: Pool): ClosingView {
  let activeTasks = 0;
  let pendingTasks = 0;
  for (const job of pool.jobs.values()) {
    activeTasks += job.counts.active;
    pendingTasks += job.counts.pending;
  }
  return { closing: pool.closing !== undefined, activeTasks, pendingTasks };
}

/** Why a pending index of a job (or all of them) waits, as of the last scheduling round: a sentence. */
export function pendingReason(job: PoolJob, index?: PoolIndex): string {
  const waits = backOffReason(index === undefined ? job.indexes : [index]);
  if (waits !== undefined) return waits;
  if (job.rejections.length === 0) return "waits for the next scheduling round";
  return `no node can take it now: ${job.rejections.map(({ reason, nodes, detail }) => `${count(nodes.length, "node")} ${reason}${detail === undefined ? "" : ` (${detail})`}`).join("; ")}`;
}

/** `waits 2 s before attempt 4`, when all of these that are pending wait before they are tried again. */
export function backOffReason(indexes: readonly PoolIndex[]): string | undefined {
  const first = indexes.find(({ state }) => state === "pending");
  if (first?.backOffMs === undefined) return undefined;
  const pending = indexes.filter(({ state }) => state === "pending");
  if (pending.some(({ backOffMs }) => backOffMs === undefined)) return undefined;
  const next = (first.attempts.at(-1)?.attempt ?? 0) + 1;
  const others = pending.length === 1 ? "" : `; so do ${pending.length - 1} more`;
  return `waits ${formatDuration(first.backOffMs)} before attempt ${next}${others}`;
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

function jobReason(job: PoolJob, state: JobState): string {
  const { counts, record } = job;
  const total = record.spec.count;
  if (state === "running") {
    const node = total === 1 ? job.indexes[0]?.attempts.at(-1)?.node : undefined;
    const stopping = record.cancel === undefined ? "" : `being cancelled: ${record.cancel.reason}; `;
    return node === undefined
      ? `${stopping}${counts.active} of ${count(total, "task")} active, ${counts.pending} pending`
      : `${stopping}on node ${node}`;
  }
  if (state === "pending") return pendingReason(job);
  if (state === "succeeded") return total === 1 ? "its task succeeded" : `all ${total} tasks succeeded`;
  if (state === "cancelled") return record.cancel?.reason ?? "it was cancelled";
  const failed = job.indexes.find((index) => index.state === "failed");
  const why = failed?.attempts.at(-1)?.reason ?? "its task failed";
  return total === 1 ? why : `${counts.failed} of ${total} tasks failed; the first: ${why}`;
}

const nothing: Totals = { nodes: 0, nodesByState: {}, capacity: noResources, used: noResources, hourly: 0 };

/** Nodes that are not there (joining, lost) count, and cost, but add no capacity. */
function totalsOf(node: PoolNode): Totals {
  const there = node.state !== "joining" && node.state !== "lost";
  return {
    nodes: 1,
    nodesByState: { [node.state]: 1 },
    capacity: (there ? capacityOf(node.record) : undefined) ?? noResources,
    used: there ? node.used : noResources,
    hourly: node.record.declaration.price?.hourly ?? 0,
  };
}

function plus(a: Totals, b: Totals): Totals {
  const nodesByState: Totals["nodesByState"] = {};
  for (const state of nodeState.options) {
    const nodes = (a.nodesByState[state] ?? 0) + (b.nodesByState[state] ?? 0);
    if (nodes > 0) nodesByState[state] = nodes;
  }
  return {
    nodes: a.nodes + b.nodes,
    nodesByState,
    capacity: addResources(a.capacity, b.capacity),
    used: addResources(a.used, b.used),
    // Prices have at most four decimals; sums of floats must not show more.
    hourly: Number((a.hourly + b.hourly).toFixed(6)),
  };
}

/** Where a node stands, for a person: `local`, `onprem berlin`, `aws eu-central-1`. */
function whereOf({ record: { declaration } }: PoolNode): string {
  const owner = declaration.provider === "ssh" ? "onprem" : declaration.provider;
  const place = declaration.attributes.site ?? declaration.attributes.region;
  return place === undefined ? owner : `${owner} ${place}`;
}
