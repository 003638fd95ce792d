/** The bulk connection: opened when the master asks, serves log streams each within its own credit, closes when nobody reads. */
import type WebSocket from "ws";
import type { AgentConfig } from "../contract/agent-config.ts";
import { describeError } from "../contract/errors.ts";
import { type BulkReply, type BulkRequest, bulkIdleMs, bulkPath, bulkRequest, encodeData } from "../contract/wire.ts";
import { dialMaster } from "./dial.ts";
import type { TaskOutput } from "./executor/executor.ts";
import type { Log } from "./log.ts";
import { type LogStream, streamLog } from "./log-stream.ts";

export interface BulkOptions {
  readonly config: AgentConfig;
  readonly output: (taskId: string) => TaskOutput | undefined;
  readonly log: Log;
  readonly idleMs?: number;
}

export interface Bulk {
  /** Does nothing when it is open or being opened. */
  open(): void;
  close(): void;
}

/** So that a hostile or broken master can't use up this host's files and memory. */
const maxStreams = 256;

export function bulkConnection({ config, output, log, idleMs = bulkIdleMs }: BulkOptions): Bulk {
  let socket: WebSocket | undefined;

  function open(): void {
    if (socket !== undefined) return;
    try {
      socket = dialMaster(config, bulkPath);
      serve(socket);
    } catch (error) {
      log.warn(`the bulk connection can't be opened: ${describeError(error)}`);
    }
  }

  function serve(current: WebSocket): void {
    const streams = new Map<number, LogStream>();
    let idle: NodeJS.Timeout | undefined;
    const closeWhenIdle = () => {
      clearTimeout(idle);
      if (streams.size === 0) idle = setTimeout(() => current.close(), idleMs).unref();
    };
    const reply = (message: BulkReply) => current.send(JSON.stringify(message));
    const endStream = (stream: number, error?: string) => {
      streams.delete(stream);
      reply(error === undefined ? { type: "end", stream } : { type: "end", stream, error });
      closeWhenIdle();
    };

    function openLog({ stream, taskId, follow }: Extract<BulkRequest, { type: "open-log" }>): void {
      streams.get(stream)?.close();
      streams.delete(stream);
      const source = output(taskId);
      if (source === undefined) return endStream(stream, `this node has no output of ${taskId}, or keeps it no longer`);
      if (streams.size >= maxStreams) return endStream(stream, `this node sends ${maxStreams} logs already`);
      clearTimeout(idle);
      const send = (channel: "stdout" | "stderr", bytes: Buffer) => current.send(encodeData(stream, channel, bytes));
      streams.set(stream, streamLog({ output: source, follow, send, end: (error) => endStream(stream, error) }));
    }

    current.on("open", closeWhenIdle);
    current.on("message", (data, isBinary) => {
      const request = isBinary ? undefined : parseRequest(data.toString());
      if (request === undefined) return log.warn("dropped a bulk frame from the master that makes no sense");
      if (request.type === "open-log") return openLog(request);
      if (request.type === "credit") return streams.get(request.stream)?.credit(request.bytes);
      streams.get(request.stream)?.close();
      streams.delete(request.stream);
      closeWhenIdle();
    });
    current.on("error", (error) => log.warn(`the bulk connection failed: ${error.message}`));
    current.on("close", () => {
      clearTimeout(idle);
      for (const stream of streams.values()) stream.close();
      streams.clear();
      if (socket === current) socket = undefined;
    });
  }

  return { open, close: () => socket?.terminate() };
}

function parseRequest(text: string): BulkRequest | undefined {
  try {
    return bulkRequest.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
