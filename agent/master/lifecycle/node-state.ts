/**
 * The states of a node: ready → suspect → disconnected → lost, by how long it was silent, and back to ready with the
 * first frame. Only `lost` gives its tasks up; until then silence is not death.
 */
import { formatDuration } from "../../contract/quantities.ts";
import { parseTaskId } from "../../contract/workload.ts";
import { endAttempt } from "../jobs/end-attempt.ts";
import { inBackground, type Leader, tell } from "../leader.ts";
import { activeAttempt, type PoolNode } from "../pool/pool.ts";
import { nodeKey } from "../pool/records.ts";
import { dropBulk } from "./bulk.ts";
import { awaitsRekeying } from "./rekeyed.ts";

/** How often silence is looked at. */
export const tickMs = 250;
/** When the master itself was stopped for longer than this (a laptop was closed), the pause is nobody's silence. */
const ownPauseMs = 2500;

/** Starts the timers of all nodes; returns how to stop them. */
export function startNodeTimers(leader: Leader): () => void {
  let lastTick = leader.clock.monotonic();
  return leader.clock.every(tickMs, () => {
    const now = leader.clock.monotonic();
    const elapsed = now - lastTick;
    lastTick = now;
    const nodes = [...leader.pool.nodes.values()];
    if (leader.writer.fault() !== undefined || elapsed > ownPauseMs) {
      for (const node of nodes) node.heardAt = Math.min(now, node.heardAt + elapsed);
      return;
    }
    for (const node of nodes) judgeSilence(leader, node, now - node.heardAt);
  });
}

/** A frame came on the node's present connection. */
export function heard(leader: Leader, name: string): void {
  const node = leader.pool.nodes.get(name);
  if (node === undefined) return;
  const silenceMs = leader.clock.monotonic() - node.heardAt;
  node.heardAt = leader.clock.monotonic();
  node.lastHeartbeatAt = leader.clock.now();
  if (node.state === "ready") return;
  const before = node.state;
  enter(leader, node, "ready", before === "joining" ? "its agent has joined" : `its agent is back (was ${before})`);
  leader.requestRound();
  if (before === "joining") return;
  inBackground(leader, `node/${name}`, async () => {
    if (node.record.lostAt !== undefined) {
      const { lostAt: _, ...record } = node.record;
      node.record = record;
      await leader.writer.write("store.commit.node", [{ put: { key: nodeKey(name), value: record } }]);
    }
    tell(leader, {
      kind: "node-returned",
      subject: `node/${name}`,
      message: `Node ${name} is back after ${formatDuration(silenceMs)} of silence (was ${before})`,
      data: { was: before, silenceMs: Math.round(silenceMs) },
    });
  });
}

function judgeSilence(leader: Leader, node: PoolNode, silenceMs: number): void {
  if (node.state === "joining" || node.state === "lost") return;
  const { suspectAfterMs, disconnectedAfterMs, lostAfterMs } = leader.config.timers;
  const reason = leader.controls.has(node.record.name)
    ? `no heartbeat for ${formatDuration(silenceMs)}, though its connection is open`
    : `no connection for ${formatDuration(silenceMs)}`;
  if (silenceMs >= lostAfterMs && !awaitsRekeying(leader, node)) lose(leader, node, reason);
  else if (silenceMs >= disconnectedAfterMs && node.state !== "disconnected") {
    enter(leader, node, "disconnected", reason);
    tellState(leader, node, `Node ${node.record.name} is disconnected: ${reason}; its ${node.tasks.size} tasks are kept`);
  } else if (silenceMs >= suspectAfterMs && node.state === "ready") {
    enter(leader, node, "suspect", reason);
    tellState(leader, node, `Node ${node.record.name} is suspect: ${reason}; it gets no new task`);
  }
}

function lose(leader: Leader, node: PoolNode, reason: string): void {
  const { name } = node.record;
  const tasks = [...node.tasks];
  enter(leader, node, "lost", reason);
  node.record = { ...node.record, lostAt: leader.clock.now() };
  inBackground(leader, `node/${name}`, async () => {
    await leader.writer.write("store.commit.node", [{ put: { key: nodeKey(name), value: node.record } }]);
    tell(leader, {
      kind: "node-lost",
      subject: `node/${name}`,
      message: `Node ${name} is lost: ${reason}; its ${tasks.length} tasks are given up`,
      data: { reason, tasks },
    });
  });
  inBackground(leader, `node/${name}`, () => loseTasks(leader, node, `node ${name} was lost: ${reason}`));
  // An open but silent connection is of no use: the agent is to dial again.
  leader.controls.get(name)?.close(1001, "lost");
  dropBulk(leader, name, "lost");
}

/** Gives up every active attempt of a node. Resolves when all of that is durable. */
export async function loseTasks(leader: Leader, node: PoolNode, reason: string): Promise<void> {
  const ends: Promise<void>[] = [];
  for (const taskId of Array.from(node.tasks)) {
    const parsed = parseTaskId(taskId);
    const job = leader.pool.jobs.get(parsed?.job ?? "");
    if (parsed === undefined || job === undefined || activeAttempt(job.indexes[parsed.index])?.taskId !== taskId) continue;
    ends.push(endAttempt(leader, job, parsed.index, { state: "lost", reason }));
  }
  await Promise.all(ends);
}

function enter(leader: Leader, node: PoolNode, state: PoolNode["state"], reason: string): void {
  node.state = state;
  node.stateReason = reason;
  node.stateSince = leader.clock.now();
  leader.log("info", `node/${node.record.name}`, `${state}: ${reason}`);
}

function tellState(leader: Leader, node: PoolNode, message: string): void {
  tell(leader, {
    kind: `node-${node.state}`,
    subject: `node/${node.record.name}`,
    message,
    data: { reason: node.stateReason, tasks: node.tasks.size },
  });
}
