/**
 * The bulk connections, on which agents send logs: opened by the agent when it is asked to on its control connection,
 * shared by all streams of the node, closed when idle. Each stream has a window of credit, so that a slow reader never
 * makes the master hold more than that.
 */
import type WebSocket from "ws";
import { SpillwayError } from "../../contract/errors.ts";
import {
  type BulkRequest,
  bulkIdleMs,
  bulkReply,
  decodeData,
  initialCreditBytes,
  type LogChannel,
  maxDataBytes,
} from "../../contract/wire.ts";
import type { Peer } from "../auth/peer.ts";
import type { Leader } from "../leader.ts";
import { bytesOf, closeSoon } from "./connection.ts";

export interface LogChunk {
  readonly channel: LogChannel;
  readonly bytes: Buffer;
  /** So many bytes of the output are no longer there; `bytes` is empty then. */
  readonly skipped?: number;
}

export interface BulkConnection {
  readonly node: string;
  /** sha256 of the public key it proved to have. */
  readonly keySha256: string;
  /** Bytes of a task's output from its beginning, until its end; with `follow` until the task has ended. */
  openLog(taskId: string, follow: boolean, signal: AbortSignal): AsyncGenerator<LogChunk, void, undefined>;
  /** Ends its streams with `bulk-lost` at once, whether or not the other end answers. */
  close(reason: string): void;
}

/** How long an agent may take to open its bulk connection. */
const openTimeoutMs = 10_000;
/** Credit goes back in pieces of at least this. */
const creditStepBytes = 64 * 1024;
/** The master closes an idle connection this much before the agent would, so that no request meets a close on its way. */
const idleLeadMs = 5000;
/** What waits to be read: as many chunks as bytes may be under way, and words about cuts between them. */
const maxChunks = 2 * (initialCreditBytes + creditStepBytes + maxDataBytes);
/** An agent sends 256 logs at once. */
const maxStreams = 256;

interface Stream {
  readonly chunks: LogChunk[];
  buffered: number;
  ended: boolean;
  error: SpillwayError | undefined;
  wake: () => void;
}

/** The bytes of a task's log. Throws a SpillwayError `node-away`, `bulk-lost` or `log-unavailable`. Ends early when aborted. */
export async function* readLog(
  leader: Leader,
  request: { readonly node: string; readonly taskId: string; readonly follow: boolean; readonly signal: AbortSignal },
): AsyncGenerator<LogChunk, void, undefined> {
  const bulk = await bulkOf(leader, request.node, request.signal);
  if (bulk === undefined) return;
  yield* bulk.openLog(request.taskId, request.follow, request.signal);
}

/** Makes a verified WebSocket the node's bulk connection; one that was there before is closed. */
export function serveBulk(leader: Leader, socket: WebSocket, { node, keySha256 }: Peer): void {
  const streams = new Map<number, Stream>();
  let lastStream = 0;
  let cancelIdle = () => {};

  const connection: BulkConnection = {
    node,
    keySha256,
    async *openLog(taskId, follow, signal) {
      if (streams.size >= maxStreams) {
        throw new SpillwayError(`${maxStreams} logs of node ${node} are being read already`, {
          code: "too-many-streams",
          hint: "Try again later.",
        });
      }
      cancelIdle();
      lastStream += 1;
      const id = lastStream;
      const stream: Stream = { chunks: [], buffered: 0, ended: false, error: undefined, wake: () => {} };
      streams.set(id, stream);
      const onAbort = () => stream.wake();
      signal.addEventListener("abort", onAbort);
      let consumed = 0;
      try {
        send({ type: "open-log", stream: id, taskId, follow, skips: true });
        while (!signal.aborted) {
          const chunk = stream.chunks.shift();
          if (chunk !== undefined) {
            stream.buffered -= chunk.bytes.length;
            yield chunk;
            consumed += chunk.bytes.length;
            if (consumed < creditStepBytes) continue;
            if (!stream.ended) send({ type: "credit", stream: id, bytes: consumed });
            consumed = 0;
            continue;
          }
          if (stream.error !== undefined) throw stream.error;
          if (stream.ended) return;
          const { promise, resolve } = Promise.withResolvers<void>();
          stream.wake = resolve;
          await promise;
        }
      } finally {
        signal.removeEventListener("abort", onAbort);
        streams.delete(id);
        if (!stream.ended) send({ type: "close", stream: id });
        if (streams.size === 0) idle();
      }
    },
    close(reason) {
      closeSoon(leader.clock, socket, 1000, reason);
      loseStreams();
    },
  };

  dropBulk(leader, node, "replaced by a newer connection of the same node");
  leader.bulks.set(node, connection);
  for (const wake of leader.bulkWaiters.get(node) ?? []) wake();
  idle();

  socket.on("message", (data, isBinary) => {
    try {
      const frame = bytesOf(data);
      if (isBinary) takeData(frame);
      else takeReply(frame.toString());
    } catch {
      leader.log("warn", `node/${node}`, "sent a bulk frame that can't be understood; the connection is closed");
      closeSoon(leader.clock, socket, 1008, "unexpected frame");
    }
  });
  socket.on("close", () => {
    cancelIdle();
    if (leader.bulks.get(node) === connection) leader.bulks.delete(node);
    loseStreams();
  });
  socket.on("error", (error) => leader.log("warn", `node/${node}`, `bulk connection: ${error.message}`));

  function loseStreams(): void {
    for (const stream of streams.values()) {
      if (stream.ended) continue;
      stream.error ??= new SpillwayError(`the connection that carries logs of node ${node} was lost`, {
        code: "bulk-lost",
        hint: "Ask again.",
      });
      stream.ended = true;
      stream.wake();
    }
  }

  function takeData(frame: Buffer): void {
    const { stream: id, channel, bytes } = decodeData(frame);
    const stream = streams.get(id);
    // A stream that was closed here may still have bytes under way.
    if (stream === undefined || stream.ended) return;
    // Costs no credit, so it could be sent without end.
    if (bytes.length === 0) return;
    stream.buffered += bytes.length;
    if (stream.buffered > initialCreditBytes + creditStepBytes + maxDataBytes) throw new RangeError("more than the credit");
    stream.chunks.push({ channel, bytes });
    stream.wake();
  }

  function takeReply(text: string): void {
    const reply = bulkReply.parse(JSON.parse(text));
    const stream = streams.get(reply.stream);
    if (stream === undefined) return;
    if (reply.type === "skipped") {
      // Told once a cut at most, but a broken agent must not fill the memory with it.
      if (stream.ended || stream.chunks.length > maxChunks) throw new RangeError("more than is read");
      stream.chunks.push({ channel: reply.channel, bytes: Buffer.alloc(0), skipped: reply.bytes });
      return stream.wake();
    }
    if (reply.error !== undefined) {
      stream.error = new SpillwayError(`the log can't be read on node ${node}: ${reply.error}`, {
        code: "log-unavailable",
        hint: "Logs are kept on the node that ran the task, until it is removed or reinstalled.",
      });
    }
    stream.ended = true;
    stream.wake();
  }

  function send(request: BulkRequest): void {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(request));
  }

  function idle(): void {
    cancelIdle();
    cancelIdle = leader.clock.after(bulkIdleMs - idleLeadMs, () => {
      // Readers that come from now on get a new connection.
      if (leader.bulks.get(node) === connection) leader.bulks.delete(node);
      closeSoon(leader.clock, socket, 1000, "idle");
    });
  }
}

/** Closes the node's bulk connection, if it has one, and forgets it: the next reader gets a new one. */
export function dropBulk(leader: Leader, node: string, reason: string): void {
  const present = leader.bulks.get(node);
  if (present === undefined) return;
  leader.bulks.delete(node);
  present.close(reason);
}

/** The node's bulk connection, asked for if need be; undefined when aborted meanwhile. */
async function bulkOf(leader: Leader, node: string, signal: AbortSignal): Promise<BulkConnection | undefined> {
  const present = leader.bulks.get(node);
  if (present !== undefined) return present;
  const control = leader.controls.get(node);
  if (control === undefined) throw nodeAway(leader, node);
  const waiters = leader.bulkWaiters.get(node) ?? new Set();
  leader.bulkWaiters.set(node, waiters);
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancelTimeout = leader.clock.after(openTimeoutMs, resolve);
  waiters.add(resolve);
  signal.addEventListener("abort", () => resolve(), { once: true });
  try {
    if (waiters.size === 1) control.send({ type: "open-bulk" });
    await promise;
  } finally {
    cancelTimeout();
    waiters.delete(resolve);
    if (waiters.size === 0) leader.bulkWaiters.delete(node);
  }
  if (signal.aborted) return undefined;
  const opened = leader.bulks.get(node);
  if (opened === undefined) throw nodeAway(leader, node);
  return opened;
}

function nodeAway(leader: Leader, node: string): SpillwayError {
  const state = leader.pool.nodes.get(node)?.state ?? "removed";
  return new SpillwayError(`node ${node} can't be asked for the log now (it is ${state === "ready" ? "not connected" : state})`, {
    code: "node-away",
    hint:
      state === "removed"
        ? "Logs stay on the node that ran the task, and that one is gone."
        : "Try again when it is back: spillway nodes list",
  });
}
