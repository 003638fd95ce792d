/**
 * An agent says hello: it becomes the node's one connection, its facts are noted, and what it runs is compared with what
 * the master wants on that node.
 */
import { isDeepStrictEqual } from "node:util";
import { wireVersion } from "../../contract/version.ts";
import type { AgentMessage } from "../../contract/wire.ts";
import type { TaskReport } from "../../contract/workload.ts";
import { noteJoin } from "../burst/facts.ts";
import { stopIndex } from "../jobs/cancel.ts";
import { endAttempt } from "../jobs/end-attempt.ts";
import { currentAttempt, takeReport } from "../jobs/reports.ts";
import { sendRun } from "../jobs/run.ts";
import { inBackground, type Leader, tell } from "../leader.ts";
import { activeAttempt, type PoolNode } from "../pool/pool.ts";
import { type NodeRecord, nodeKey } from "../pool/records.ts";
import { dropBulk } from "./bulk.ts";
import { type ControlConnection, closeCodes } from "./connection.ts";
import { heard } from "./node-state.ts";

type Hello = Extract<AgentMessage, { type: "hello" }>;

/** Resolves when the hello is durable and everything that follows from it was sent. */
export async function takeHello(leader: Leader, connection: ControlConnection, hello: Hello): Promise<void> {
  const node = leader.pool.nodes.get(connection.node);
  if (node === undefined) return;
  leader.controls.get(connection.node)?.close(closeCodes.replaced, "replaced by a newer connection of the same node");
  leader.controls.set(connection.node, connection);
  node.agentSince = leader.clock.now();
  // Whatever ended the former connection has ended this one too, noticed or not.
  dropBulk(leader, connection.node, "the node has connected anew");
  const missing = missingTasks(leader, node, hello.tasks);
  welcome(leader, connection, hello);
  const first = node.record.seen === undefined;
  const noted = noteFacts(leader, node, hello);
  heard(leader, connection.node);
  noteJoin(leader, connection.node);
  await noted;
  if (first) {
    tell(leader, {
      kind: "node-joined",
      subject: `node/${connection.node}`,
      message: `Node ${connection.node} has joined the node pool ${node.record.declaration.pool}`,
      data: { facts: hello.facts, measured: hello.measured, agentVersion: hello.agentVersion, bundle: hello.bundle },
    });
  }
  // What is sent now must not rest on something still on its way to the disk; what is assigned later is sent by its round.
  await leader.writer.settled();
  if (leader.controls.get(connection.node) === connection) reconcile(leader, connection, hello.tasks, missing);
  leader.requestRound();
}

export function welcome(leader: Leader, connection: ControlConnection, hello: Hello): void {
  connection.send({
    type: "welcome",
    wire: Math.min(hello.wire, wireVersion),
    heartbeatIntervalMs: leader.config.timers.heartbeatIntervalMs,
    masterTime: leader.clock.now(),
  });
}

interface MissingTasks {
  /** Had begun, so an agent that does not know them has lost them. */
  readonly lost: readonly string[];
  /** Had not begun; the agent may be starting them just now. */
  readonly unstarted: readonly string[];
}

/** The node's active attempts the hello does not name, as they are now: a moment later the agent may report some of them. */
function missingTasks(leader: Leader, node: PoolNode, reports: readonly TaskReport[]): MissingTasks {
  const known = new Set(reports.map((report) => report.taskId));
  const lost: string[] = [];
  const unstarted: string[] = [];
  for (const taskId of node.tasks) {
    if (known.has(taskId)) continue;
    const wanted = currentAttempt(leader, node.record.name, taskId);
    if (wanted === undefined) continue;
    const begun = activeAttempt(wanted.job.indexes[wanted.position])?.state !== "assigned";
    (begun ? lost : unstarted).push(taskId);
  }
  return { lost, unstarted };
}

function noteFacts(leader: Leader, node: PoolNode, hello: Hello): Promise<void> {
  const { facts, measured, agentVersion, bundle } = hello;
  const seen: NonNullable<NodeRecord["seen"]> = {
    facts,
    measured,
    agentVersion,
    bundle,
    firstAt: node.record.seen?.firstAt ?? leader.clock.now(),
  };
  if (isDeepStrictEqual(node.record.seen, seen)) return Promise.resolve();
  node.record = { ...node.record, seen };
  return leader.writer.write("store.commit.node", [{ put: { key: nodeKey(node.record.name), value: node.record } }]);
}

/** Both ends agree afterwards: each active attempt of the node runs there or has ended, and nothing else runs there. */
function reconcile(leader: Leader, connection: ControlConnection, reports: readonly TaskReport[], missing: MissingTasks): void {
  const who = `node/${connection.node}`;
  for (const report of reports) {
    const wanted = currentAttempt(leader, connection.node, report.taskId);
    if (wanted !== undefined) connection.sentRuns.add(report.taskId);
    inBackground(leader, who, async () => {
      await takeReport(leader, connection, report);
      // A task that goes on although its job was cancelled while the node was away.
      if (wanted !== undefined) stopIndex(leader, wanted.job, wanted.position);
    });
  }
  for (const taskId of missing.lost) {
    const wanted = currentAttempt(leader, connection.node, taskId);
    if (wanted === undefined) continue;
    inBackground(leader, who, () =>
      endAttempt(leader, wanted.job, wanted.position, { state: "lost", reason: "the agent does not know it" }),
    );
  }
  for (const taskId of missing.unstarted) {
    const wanted = currentAttempt(leader, connection.node, taskId);
    if (wanted === undefined) continue;
    if (wanted.job.record.cancel !== undefined) stopIndex(leader, wanted.job, wanted.position);
    else sendRun(leader, wanted.job, wanted.position);
  }
}
