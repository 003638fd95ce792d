/** Answers "why?" for a job or a node, now: the candidates and why each was rejected, or what has happened. */
import type { Explanation } from "../../contract/api.ts";
import { SpillwayError } from "../../contract/errors.ts";
import { formatDuration } from "../../contract/quantities.ts";
import type { Leader } from "../leader.ts";
import { jobStateOf, type PoolJob } from "../pool/pool.ts";
import { jobView } from "../pool/views.ts";
import { amountText, place, placeDefaults } from "./place.ts";
import { pendingJobs, takeSnapshot } from "./snapshot.ts";

const maxEvents = 50;

/** `subject` is job/<id> or node/<name>. Throws a SpillwayError `not-found` or `invalid-request`. */
export function explain(leader: Leader, subject: string): Explanation {
  const [kind = "", name = ""] = subject.split("/");
  const events = leader.journal.list({ subject, limit: maxEvents, newest: true });
  if (kind === "job") {
    const job = leader.pool.jobs.get(name);
    if (job === undefined) throw notFound("job", name);
    return { subject, ...explainJob(leader, job), events };
  }
  if (kind === "node") {
    const node = leader.pool.nodes.get(name);
    if (node === undefined) throw notFound("node", name);
    const summary = `${name} is ${node.state} for ${formatDuration(leader.clock.now() - node.stateSince)}: ${node.stateReason}`;
    return { subject, summary, rejected: [], events };
  }
  throw new SpillwayError(`"${subject}" can't be explained`, { code: "invalid-request", hint: "Ask for job/<id> or node/<name>." });
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
  const head = `${id} is pending for ${formatDuration(leader.clock.now() - waitingSince)} (${some}priority ${spec.priority}${pool}; each needs ${need.map((name) => amountText(spec.resources, name)).join(", ")})`;
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
