/** Carries drains and reclaims through: evicts what still runs at the deadline, and tells when the last task has ended. */
import { parseTaskId } from "../../contract/workload.ts";
import { endAttempt } from "../jobs/end-attempt.ts";
import { inBackground, type Leader, tell } from "../leader.ts";
import { activeAttempt, type PoolNode } from "../pool/pool.ts";
import { nodeKey } from "../pool/records.ts";
import { count } from "../pool/views.ts";
import { burstOf, evictionsOf, isDrained } from "./cordon-state.ts";
import { retireReclaimed } from "./notice-burst.ts";
import { graceWithin, reclaimOf } from "./notice-state.ts";
import { replacedFirst } from "./replaced-first.ts";

/** How often deadlines are looked at. */
const tickMs = 250;

/** Starts the watch over all drains; what was due while the master was away is done at its first tick. Returns how to stop it. */
export function startDrains(leader: Leader): () => void {
  return leader.clock.every(tickMs, () => {
    evictDue(leader);
    for (const node of leader.pool.nodes.values()) tellDrained(leader, node);
    retireReclaimed(leader);
  });
}

/** Evicts the tasks of every node whose drain is over or whose machine is taken away (but for those of `replacedFirst`), and of every burst that ends. */
export function evictDue(leader: Leader): void {
  // A teardown stops all tasks by itself, with its own grace.
  if (leader.writer.fault() !== undefined || leader.pool.closing !== undefined) return;
  const now = leader.clock.now();
  const runOn = replacedFirst(leader);
  for (const node of leader.pool.nodes.values()) {
    if (node.tasks.size === 0) continue;
    const due = evictionsOf(node, burstOf(leader.pool, node)).filter(({ at }) => at <= now);
    const [first] = due;
    if (first === undefined) continue;
    const spared = due.every(({ byCloud }) => byCloud === true) ? runOn.get(node.record.name) : undefined;
    evict(leader, node, { why: first.why, spared: new Set(spared?.map(({ taskId }) => taskId)) });
  }
}

/**
 * Each attempt ends as lost and is placed anew; its agent stops its copy with the job's grace. Attempts that end like this
 * count for nothing: neither as a retry nor as a lost one, since the operator or the cloud is to blame.
 */
function evict(leader: Leader, node: PoolNode, { why, spared }: { readonly why: string; readonly spared: ReadonlySet<string> }): void {
  const { name } = node.record;
  const reason = `evicted: ${why}`;
  let evicted = 0;
  let longestMs = 0;
  for (const taskId of Array.from(node.tasks)) {
    if (spared.has(taskId)) continue;
    const parsed = parseTaskId(taskId);
    const job = leader.pool.jobs.get(parsed?.job ?? "");
    if (parsed === undefined || job === undefined || activeAttempt(job.indexes[parsed.index])?.taskId !== taskId) continue;
    evicted += 1;
    const graceMs = graceWithin(job.record.spec.graceMs, reclaimOf(node.record), leader.clock.now());
    longestMs = Math.max(longestMs, graceMs);
    inBackground(leader, `node/${name}`, async () => {
      await endAttempt(leader, job, parsed.index, { state: "lost", reason, fault: "node" });
      // When its agent is away, its next hello has the copy stopped.
      leader.controls.get(name)?.send({ type: "stop", taskId, graceMs, reason });
    });
  }
  if (evicted === 0) return;
  noteStop(leader, node, leader.clock.now() + longestMs);
  tell(leader, {
    kind: "node-evicted",
    subject: `node/${name}`,
    message: `${count(evicted, "task")} on node ${name} ${evicted === 1 ? "is" : "are"} evicted and tried again elsewhere: ${why}`,
    data: { tasks: evicted, reason: why },
  });
}

/** When the last of the tasks of a machine that is taken away will have stopped; ms since the epoch. */
function noteStop(leader: Leader, node: PoolNode, stoppedAt: number): void {
  const { name, notice } = node.record;
  if (notice === undefined || notice.stoppedAt >= stoppedAt) return;
  node.record = { ...node.record, notice: { ...notice, stoppedAt } };
  inBackground(leader, `node/${name}`, () =>
    leader.writer.write("store.commit.node", [{ put: { key: nodeKey(name), value: node.record } }]),
  );
}

function tellDrained(leader: Leader, node: PoolNode): void {
  const { cordon } = node.record;
  if (leader.writer.fault() !== undefined || cordon?.drain === undefined || cordon.drain.drainedAt !== undefined || !isDrained(node))
    return;
  const { name } = node.record;
  node.record = { ...node.record, cordon: { ...cordon, drain: { ...cordon.drain, drainedAt: leader.clock.now() } } };
  inBackground(leader, `node/${name}`, async () => {
    await leader.writer.write("store.commit.node", [{ put: { key: nodeKey(name), value: node.record } }]);
    tell(leader, {
      kind: "node-drained",
      subject: `node/${name}`,
      message: `Node ${name} is drained: none of its tasks is left${cordon.reason === "" ? "" : ` (${cordon.reason})`}; it takes tasks again after: spillway nodes uncordon ${name}`,
    });
  });
}
