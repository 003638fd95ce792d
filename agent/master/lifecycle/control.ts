/** One agent's control connection: its frames are parsed here and given to what they concern. */
import type WebSocket from "ws";
import { formatDuration } from "../../contract/quantities.ts";
import { wireVersion } from "../../contract/version.ts";
import { type AgentMessage, agentMessage } from "../../contract/wire.ts";
import type { TaskReport } from "../../contract/workload.ts";
import type { Peer } from "../auth/peer.ts";
import { takeReport } from "../jobs/reports.ts";
import { inBackground, type Leader, tell } from "../leader.ts";
import { bytesOf, type ControlConnection, closeCodes, closeSoon } from "./connection.ts";
import { takeHello, welcome } from "./hello.ts";
import { heard } from "./node-state.ts";
import { hearNotice } from "./notice.ts";

const anotherKeyReason = "the certificate does not count (any more); the node has to join with a new token";
/** A connection that has not said hello by then is closed. */
const helloTimeoutMs = 10_000;
/** How long an agent that leaves may take to stop its tasks before its connection is cut. */
const leaveTimeoutMs = 120_000;
/** An agent that does not read this much is cut off; it comes back and is told anew what counts. */
const maxUnsentBytes = 16 * 1024 * 1024;
/** From this difference on the clocks of agent and master are reported. */
const clockSkewMs = 1000;
/** Frames may have waited somewhere; this many in a row do not lie. */
const skewedHeartbeats = 5;

/**
 * Serves an agent whose certificate is one of this environment. Whether it counts is decided with its hello: one whose
 * node was removed is told to leave, one whose node has another key by now is refused.
 */
export function serveControl(leader: Leader, socket: WebSocket, peer: Peer): void {
  const who = `node/${peer.node}`;
  let greeted = false;
  let leaving = false;
  let skewed = 0;
  const connection: ControlConnection = {
    ...peer,
    sentRuns: new Set(),
    send(message) {
      if (socket.readyState !== socket.OPEN) return;
      if (socket.bufferedAmount > maxUnsentBytes) {
        leader.log("warn", who, "does not read its control connection; it is cut off");
        socket.terminate();
        return;
      }
      socket.send(JSON.stringify(message));
    },
    close: (code, reason) => closeSoon(leader.clock, socket, code, reason),
    leave() {
      leaving = true;
      connection.send({ type: "leave" });
      leader.clock.after(leaveTimeoutMs, () => socket.terminate());
    },
  };
  const cancelHelloTimeout = leader.clock.after(helloTimeoutMs, () => {
    if (!greeted) connection.close(1008, "no hello");
  });

  socket.on("message", (data, isBinary) => {
    const message = isBinary ? undefined : parse(bytesOf(data).toString());
    if (message === undefined || (message.type === "hello") === greeted) {
      leader.log("warn", who, "sent a control frame that can't be understood; the connection is closed");
      connection.close(1008, "unexpected frame");
      return;
    }
    take(message);
  });
  socket.on("close", () => {
    cancelHelloTimeout();
    if (leader.controls.get(peer.node) !== connection) return;
    leader.controls.delete(peer.node);
    if (!leader.shutdown.signal.aborted) leader.log("info", who, "control connection closed");
  });
  socket.on("error", (error) => leader.log("warn", who, `control connection: ${error.message}`));

  function take(message: AgentMessage): void {
    // While nothing can be written, nothing can be answered either; the connection is being closed.
    if (leader.writer.fault() !== undefined) return;
    if (message.type === "hello") {
      if (!leader.pool.nodes.has(peer.node)) {
        greeted = true;
        leader.log("info", who, "was removed; its agent is told to leave");
        // Welcomed, so that the connection lives until its tasks have ended.
        welcome(leader, connection, message);
        connection.leave();
        for (const report of message.tasks) confirmEnd(report);
        return;
      }
      const refusal = refusalOf(leader, peer, message.wire);
      if (refusal !== undefined) {
        leader.log("warn", who, `refused: ${refusal}`);
        connection.send({ type: "refused", reason: refusal });
        connection.close(closeCodes.refused, "refused");
        return;
      }
      greeted = true;
      inBackground(leader, who, () => takeHello(leader, connection, message));
      return;
    }
    if (leaving) {
      if (message.type === "task") confirmEnd(message.report);
      return;
    }
    // A connection that was replaced has nothing to say any more.
    if (leader.controls.get(peer.node) !== connection) return;
    heard(leader, peer.node);
    if (message.type === "task") inBackground(leader, who, () => takeReport(leader, connection, message.report));
    else {
      watchClock(message.sentAt);
      hearNotice(leader, peer.node, message);
    }
  }

  /** All a node that leaves had was given up; nothing of it is to be kept there. */
  function confirmEnd({ taskId, state }: TaskReport): void {
    if (state !== "running" && state !== "stopping") connection.send({ type: "recorded", taskId });
  }

  function watchClock(sentAt: number): void {
    const difference = sentAt - leader.clock.now();
    skewed = Math.abs(difference) > clockSkewMs ? skewed + 1 : 0;
    if (skewed !== skewedHeartbeats) return;
    tell(leader, {
      kind: "node-clock-skew",
      subject: `node/${peer.node}`,
      message: `The clock of node ${peer.node} is ${formatDuration(Math.abs(difference))} ${difference > 0 ? "ahead of" : "behind"} the master's`,
      data: { differenceMs: difference },
    });
  }
}

/** Looked at again with the hello: since the connection was opened the node may have been removed or have joined anew. */
function refusalOf(leader: Leader, { node, keySha256 }: Peer, wire: number): string | undefined {
  if (leader.pool.nodes.get(node)?.record.keys.includes(keySha256) !== true) return anotherKeyReason;
  if (wire === wireVersion || wire === wireVersion - 1) return undefined;
  return `this agent speaks version ${wire} of the messages, this master ${wireVersion} and ${wireVersion - 1}; upgrade the ${wire < wireVersion ? "agent" : "master"}`;
}

function parse(text: string): AgentMessage | undefined {
  try {
    return agentMessage.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
