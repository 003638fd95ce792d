/** Cordon, uncordon and drain of a node, as in Kubernetes: written down before it is told, so that it outlasts the master. */
import { isDeepStrictEqual } from "node:util";
import { SpillwayError } from "../../contract/errors.ts";
import { formatDuration } from "../../contract/quantities.ts";
import { move } from "../burst/ledger.ts";
import { assertWritable, type Leader, tell } from "../leader.ts";
import type { PoolNode } from "../pool/pool.ts";
import { type NodeRecord, nodeKey } from "../pool/records.ts";
import { count } from "../pool/views.ts";
import { evictDue } from "./cordon-drain.ts";
import { burstOf, isDrained, takesTasks } from "./cordon-state.ts";
import { noticeReason, reclaimOf } from "./notice-state.ts";

type Cordon = NonNullable<NodeRecord["cordon"]>;
type Notice = NonNullable<NodeRecord["notice"]>;

/** It gets no new task and keeps what it has. A drain goes on. Throws `not-found`. */
export async function cordonNode(leader: Leader, name: string, { reason }: { readonly reason: string }): Promise<PoolNode> {
  const node = nodeNamed(leader, name);
  const { cordon } = node.record;
  if (cordon?.drain !== undefined) return settled(leader, node);
  const changed = await setCordon(leader, node, { at: cordon?.at ?? leader.clock.now(), reason });
  if (changed) {
    tellOf(leader, node, "node-cordoned", {
      reason,
      message: `Node ${name} was cordoned by the operator${because(reason)}: it gets no new task and keeps its ${count(node.tasks.size, "task")}`,
    });
  }
  return node;
}

/**
 * It gets tasks again; a drain ends, and its cloud's advice to leave it is overruled until that is withdrawn. While its cloud
 * takes the machine away it gets none all the same. On a node of a burst the drain of the burst ends too. Throws `not-found`, and
 * `ledger-refused` when the burst is past that.
 */
export async function uncordonNode(leader: Leader, name: string): Promise<PoolNode> {
  const node = nodeNamed(leader, name);
  const row = burstOf(leader.pool, node);
  if (row !== undefined && !takesTasks(row.state)) {
    await move(leader, row.id, { type: "uncordon", reason: `the operator has uncordoned its node ${name}: it takes tasks again` });
  }
  const was = node.record.cordon?.drain === undefined ? "cordoned" : isDrained(node) ? "drained" : "draining";
  if (await setCordon(leader, node, undefined, overruled(node.record.notice))) {
    const ended = was === "draining" ? `; its drain ended with ${count(node.tasks.size, "task")} left` : "";
    const reclaim = reclaimOf(node.record);
    tellOf(leader, node, "node-uncordoned", {
      message: `Node ${name} was uncordoned by the operator (was ${was})${ended}: ${reclaim === undefined ? "it takes tasks again" : `it takes no tasks all the same, since ${noticeReason(reclaim)}`}`,
    });
  }
  leader.requestRound();
  return node;
}

/**
 * It gets no new task, and what still runs at the deadline is evicted. Asked again, the newer deadline counts. A node of
 * a burst goes with its burst: that is drained, and given back when it is drained. Throws `not-found`, and `ledger-refused`
 * when the burst can't be drained (yet, or any more).
 */
export async function drainNode(
  leader: Leader,
  name: string,
  { reason, deadlineMs }: { readonly reason: string; readonly deadlineMs: number },
): Promise<PoolNode> {
  const node = nodeNamed(leader, name);
  const row = burstOf(leader.pool, node);
  const deadline = leader.clock.now() + deadlineMs;
  if (row !== undefined) {
    const why = `the operator drains ${row.nodes.length === 1 ? "its node" : "its nodes, beginning with"} ${name}${because(reason)}`;
    await move(leader, row.id, { type: "drain", cause: "operator", deadline, reason: why });
    evictDue(leader);
    return node;
  }
  const before = node.record.cordon;
  const changed = await setCordon(leader, node, { at: before?.at ?? leader.clock.now(), reason, drain: { deadline } });
  if (changed) {
    const tasks = node.tasks.size;
    const [are, have] = tasks === 1 ? ["is", "has"] : ["are", "have"];
    const within = deadlineMs === 0 ? `${are} evicted at once` : `${have} ${formatDuration(deadlineMs)} to finish`;
    tellOf(leader, node, "node-draining", {
      reason,
      deadline,
      message: `Node ${name} is drained by the operator${because(reason)}: it gets no new task, ${tasks === 0 ? "and has none" : `its ${count(tasks, "task")} ${within}`}`,
    });
  }
  evictDue(leader);
  return node;
}

/** An advice may be overruled, but nobody keeps a machine that the cloud takes. */
function overruled(notice: Notice | undefined): Notice | undefined {
  return notice?.kind === "rebalance" ? { ...notice, overruled: true } : notice;
}

/** Resolves when it is durable, with whether anything changed. Memory changes first, so the next round knows of it. */
async function setCordon(leader: Leader, node: PoolNode, cordon: Cordon | undefined, notice = node.record.notice): Promise<boolean> {
  const { cordon: _, notice: __, ...rest } = node.record;
  const next: NodeRecord = { ...rest, ...(cordon === undefined ? {} : { cordon }), ...(notice === undefined ? {} : { notice }) };
  if (isDeepStrictEqual(node.record, next)) {
    await leader.writer.settled();
    return false;
  }
  assertWritable(leader);
  node.record = next;
  await leader.writer.write("store.commit.node", [{ put: { key: nodeKey(node.record.name), value: node.record } }]);
  return true;
}

async function settled(leader: Leader, node: PoolNode): Promise<PoolNode> {
  await leader.writer.settled();
  return node;
}

function nodeNamed(leader: Leader, name: string): PoolNode {
  const node = leader.pool.nodes.get(name);
  if (node === undefined) throw new SpillwayError(`there is no node "${name}"`, { code: "not-found", hint: "See: spillway nodes list" });
  return node;
}

function tellOf(
  leader: Leader,
  node: PoolNode,
  kind: string,
  { message, ...data }: { message: string; reason?: string; deadline?: number },
): void {
  tell(leader, { kind, subject: `node/${node.record.name}`, message, data: { ...data, tasks: node.tasks.size } });
}

function because(reason: string): string {
  return reason === "" ? "" : ` (${reason})`;
}
