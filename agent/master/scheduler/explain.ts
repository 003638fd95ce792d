/** Answers "why?" for a job or a node, now: the candidates and why each was rejected, or what has happened. */
import type { Explanation } from "../../contract/api.ts";
import { SpillwayError } from "../../contract/errors.ts";
import { formatDuration } from "../../contract/quantities.ts";
import { burstIdOf, explainBurst, explainDemand } from "../burst/explain.ts";
import type { Leader } from "../leader.ts";
import { burstOf, schedulingOf } from "../lifecycle/cordon-state.ts";
import { jobStateOf, type PoolJob, type PoolNode } from "../pool/pool.ts";
import { backOffReason, closingView, count, jobView } from "../pool/views.ts";
import { amountText, place, placeDefaults } from "./place.ts";
import { pendingJobs, takeSnapshot } from "./snapshot.ts";

const maxEvents = 50;

/** `subject` is job/<id>, node/<name>, burst/<id> (or an id alone) or environment. Throws a SpillwayError `not-found` or `invalid-request`. */
export function explain(leader: Leader, asked: string): Explanation {
  const burst = burstIdOf(asked);
  const subject = burst === undefined ? asked : `burst/${burst}`;
  const [kind = "", name = ""] = subject.split("/");
  const events = leader.journal.list({ subject, limit: maxEvents, newest: true });
  if (burst !== undefined) return { subject, summary: explainBurst(leader, burst), rejected: [], events };
  if (kind === "job") {
    const job = leader.pool.jobs.get(name);
    if (job === undefined) throw notFound("job", name);
    const demand = explainDemand(leader, job);
    return { subject, ...explainJob(leader, job), ...(demand === undefined ? {} : { burst: demand }), events };
  }
  if (kind === "node") {
    const node = leader.pool.nodes.get(name);
    if (node === undefined) throw notFound("node", name);
    return { subject, summary: explainNode(leader, node), rejected: [], events };
  }
  if (subject === "environment") return { subject, summary: environmentSummary(leader), rejected: notReady(leader), events };
  throw new SpillwayError(`"${subject}" can't be explained`, {
    code: "invalid-request",
    hint: "Ask for job/<id>, node/<name>, burst/<id> or environment.",
  });
}

function explainNode({ pool, clock }: Leader, node: PoolNode): string {
  const { scheduling, reason } = schedulingOf(node, burstOf(pool, node));
  const state = `${node.record.name} is ${node.state} for ${formatDuration(clock.now() - node.stateSince)}: ${node.stateReason}`;
  return reason === undefined ? state : `${state}; it is ${scheduling} and gets no new task: ${reason}`;
}

function environmentSummary(leader: Leader): string {
  const { pool, config } = leader;
  const { activeTasks, pendingTasks } = closingView(pool);
  const ready = [...pool.nodes.values()].filter(({ state }) => state === "ready").length;
  const mode = pool.closing === undefined ? "takes jobs" : `is closing (${pool.closing.reason})`;
  return `${config.environment.name} ${mode}; ${ready} of ${count(pool.nodes.size, "node")} ready; ${count(activeTasks, "task")} active, ${pendingTasks} pending`;
}

/** Nodes that get no task now, whatever it needs. */
function notReady(leader: Leader): Explanation["rejected"] {
  const groups = new Map<string, string[]>();
  for (const { name, unavailable } of takeSnapshot(leader).nodes) {
    if (unavailable !== undefined) groups.set(unavailable, [...(groups.get(unavailable) ?? []), name]);
  }
  return [...groups].map(([reason, nodes]) => ({ reason, nodes }));
}

function explainJob(leader: Leader, job: PoolJob): Pick<Explanation, "summary" | "rejected"> {
  const { id, spec } = job.record;
  const state = jobStateOf(job);
  if (job.counts.pending === 0) return { summary: `${id} is ${state}: ${jobView(job).reason}`, rejected: [] };
  const pending = pendingJobs(leader, placeDefaults.maxPlacements);
  const round = place(takeSnapshot(leader), pending, leader.clock.now(), { ...placeDefaults, maxPlacements: Number.POSITIVE_INFINITY });
  const unplaced = round.unplaced.find((one) => one.job === id);
  const waitingSince = pending.find((one) => one.job === id)?.waitingSince ?? job.record.submittedAt;
  const need = ["cpu", "memory", ...(spec.resources.disk > 0 ? ["disk"] : []), ...spec.resources.gpus.map(({ model }) => `gpu ${model}`)];
  const some = spec.count === 1 ? "" : `${job.counts.pending} of ${spec.count} tasks; `;
  const pool = spec.nodePool === undefined ? "" : `, node pool ${spec.nodePool}`;
  const waitedFor = formatDuration(leader.clock.now() - waitingSince);
  const waits = state === "running" ? `is running; the rest of it waits for ${waitedFor}` : `is ${state} for ${waitedFor}`;
  const head = `${id} ${waits} (${some}priority ${spec.priority}${pool}; each needs ${need.map((name) => amountText(spec.resources, name)).join(", ")})`;
  const backOff = backOffReason(job.indexes);
  if (backOff !== undefined) return { summary: `${head}; it ${backOff}`, rejected: [] };
  if (unplaced === undefined) return { summary: `${head}; it is about to be placed`, rejected: [] };
  const rejected = unplaced.rejections.map((one) => ({
    reason: one.reason,
    nodes: [...one.nodes],
    ...(one.detail === undefined ? {} : { detail: one.detail }),
  }));
  const nodes = rejected.reduce((sum, one) => sum + one.nodes.length, 0);
  return {
    summary: nodes === 0 ? `${head}; this environment has no node yet` : `${head}; none of ${nodes} nodes can take it now`,
    rejected,
  };
}

function notFound(kind: string, name: string): SpillwayError {
  return new SpillwayError(`there is no ${kind} "${name}"`, { code: "not-found", hint: `See: spillway ${kind}s list` });
}
