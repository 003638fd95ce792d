/**
 * What agents tell of their clouds' notices, in every heartbeat: the first word counts, is written down and acted on, and
 * stands until it is withdrawn. A node that is taken away loses its tasks at once, so that they have its last minutes to
 * begin elsewhere, or as soon as what is bought for them is there (`replacedFirst`); one that should be left only gets no new ones.
 */
import type { NodeNotice } from "../../contract/node.ts";
import { formatDuration } from "../../contract/quantities.ts";
import type { AgentMessage } from "../../contract/wire.ts";
import { parseTaskId } from "../../contract/workload.ts";
import { inBackground, type Leader, tell } from "../leader.ts";
import type { PoolNode } from "../pool/pool.ts";
import { type NodeRecord, nodeKey } from "../pool/records.ts";
import { count } from "../pool/views.ts";
import { evictDue } from "./cordon-drain.ts";
import { burstOf, schedulingOf } from "./cordon-state.ts";
import { clockTime, graceWithin } from "./notice-state.ts";
import { replacedFirst } from "./replaced-first.ts";

type Heartbeat = Extract<AgentMessage, { type: "heartbeat" }>;
type Notice = NonNullable<NodeRecord["notice"]>;

/** Takes what a heartbeat says of notices; said again, nothing happens. Memory has changed when it returns. */
export function hearNotice(leader: Leader, name: string, { sentAt, notice: said }: Heartbeat): void {
  const node = leader.pool.nodes.get(name);
  if (node === undefined || said === undefined) return;
  const known = node.record.notice;
  if (said === null) {
    if (known !== undefined) withdraw(leader, node, known);
    return;
  }
  if (known === undefined || !isSame(known, said)) note(leader, node, said, sentAt);
}

function isSame(known: Notice, said: NodeNotice): boolean {
  return known.kind === said.kind && known.saidAt === said.at && known.text === said.text;
}

function note(leader: Leader, node: PoolNode, said: NodeNotice, sentAt: number): void {
  const now = leader.clock.now();
  const before = node.record.notice?.kind === said.kind ? node.record.notice : undefined;
  const notice: Notice = {
    kind: said.kind,
    text: said.text,
    // Clouds keep the clocks of their machines; ours may be another, so only the time that is left is taken over.
    at: now + (said.at - sentAt),
    saidAt: said.at,
    heardAt: before?.heardAt ?? now,
    stoppedAt: before?.stoppedAt ?? now,
    ...(before?.overruled === true ? { overruled: true } : {}),
  };
  node.record = { ...node.record, notice: { ...notice, stoppedAt: Math.max(notice.stoppedAt, stoppedAt(leader, node, notice)) } };
  const tasks = node.tasks.size;
  inBackground(leader, `node/${node.record.name}`, async () => {
    await written(leader, node);
    // The same with another hour or in other words is no news.
    if (before === undefined) tellNoticed(leader, node, notice, { now, tasks });
    evictDue(leader);
    leader.bursting.requestPlan();
  });
}

/** When the last of its tasks has stopped, if all are told so now; ms since the epoch. */
function stoppedAt({ pool, clock }: Leader, node: PoolNode, notice: Notice): number {
  const now = clock.now();
  let longestMs = 0;
  for (const taskId of node.tasks) {
    const graceMs = pool.jobs.get(parseTaskId(taskId)?.job ?? "")?.record.spec.graceMs ?? 0;
    longestMs = Math.max(longestMs, graceWithin(graceMs, notice, now));
  }
  return now + longestMs;
}

function tellNoticed(
  leader: Leader,
  node: PoolNode,
  notice: Notice,
  { now, tasks }: { readonly now: number; readonly tasks: number },
): void {
  const { name } = node.record;
  const { kind, at, text } = notice;
  const held = count(tasks, "task");
  const left = at > now ? `, in ${formatDuration(at - now)}` : "";
  const runOn = replacedFirst(leader).get(name)?.length ?? 0;
  const others = tasks === 0 ? "" : `, and its ${held} ${tasks === 1 ? "is" : "are"} tried again elsewhere`;
  const retried = runOn === 0 ? others : `${others}, ${runOn} of them once there is room: until then they run on`;
  tell(leader, {
    kind: kind === "reclaim" ? "node-reclaimed" : "node-rebalance",
    subject: `node/${name}`,
    message:
      kind === "reclaim"
        ? `Node ${name} is taken away by its cloud at ${clockTime(at)}${left} (${text}): it gets no new task${retried}`
        : `Node ${name} is cordoned by its cloud's advice (${text}): it gets no new task and keeps its ${held}`,
    data: { notice: kind, at, text, tasks },
  });
}

function withdraw(leader: Leader, node: PoolNode, known: Notice): void {
  const { notice: _, ...record } = node.record;
  node.record = record;
  const { name } = record;
  inBackground(leader, `node/${name}`, async () => {
    await written(leader, node);
    const { scheduling, reason } = schedulingOf(node, burstOf(leader.pool, node));
    tell(leader, {
      kind: "node-notice-withdrawn",
      subject: `node/${name}`,
      message: `What its cloud had announced of node ${name} is withdrawn (${known.text}): ${scheduling === "open" ? "it takes tasks again" : `it stays ${scheduling}: ${reason ?? ""}`}`,
      data: { notice: known.kind, text: known.text, scheduling },
    });
    leader.requestRound();
  });
}

function written(leader: Leader, node: PoolNode): Promise<void> {
  return leader.writer.write("store.commit.node", [{ put: { key: nodeKey(node.record.name), value: node.record } }]);
}
