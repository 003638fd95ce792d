/** The bulk connection: opened when the master asks, serves log streams each within its own credit, closes when nobody reads. */
import type WebSocket from "ws";
import type { AgentConfig } from "../contract/agent-config.ts";
import { describeError } from "../contract/errors.ts";
import { type BulkReply, type BulkRequest, bulkIdleMs, bulkPath, bulkRequest, encodeData, type LogChannel } from "../contract/wire.ts";
import { dialMaster } from "./dial.ts";
import type { TaskOutput } from "./executor/executor.ts";
import type { Log } from "./log.ts";
import { type LogStream, streamLog } from "./log-stream.ts";

export interface BulkOptions {
  readonly config: AgentConfig;
  readonly output: (taskId: string) => TaskOutput | undefined;
  readonly log: Log;
  readonly idleMs?: number;
  /** The pause before a failed dial is tried again; it doubles each time. */
  readonly retryMs?: number;
}

export interface Bulk {
  /** Does nothing when it is open or being opened; when it is being closed, it is opened again afterwards. */
  open(): void;
  close(): void;
}

/** So that a hostile or broken master can't use up this host's files and memory. */
const maxStreams = 256;
/** The master asks again for the next log, so a few tries in some seconds are enough. */
const maxDials = 4;
const defaultRetryMs = 250;

export function bulkConnection({ config, output, log, idleMs = bulkIdleMs, retryMs = defaultRetryMs }: BulkOptions): Bulk {
  let socket: WebSocket | undefined;
  let retry: NodeJS.Timeout | undefined;
  let closed = false;
  /** It was asked for while it was being closed. */
  let wanted = false;

  function open(): void {
    if (socket === undefined && retry === undefined) return dial(1);
    if (socket !== undefined && socket.readyState === socket.CLOSING) wanted = true;
  }

  function dial(attempt: number): void {
    if (closed) return;
    try {
      const current = dialMaster(config, bulkPath);
      socket = current;
      let opened = false;
      current.on("open", () => {
        opened = true;
      });
      serve(current);
      current.on("close", () => {
        socket = undefined;
        if (opened && wanted) dial(1);
        else if (!opened) dialAgain(attempt);
        wanted = false;
      });
    } catch (error) {
      log.warn(`the bulk connection can't be opened: ${describeError(error)}`);
      dialAgain(attempt);
    }
  }

  function dialAgain(attempt: number): void {
    if (closed || attempt >= maxDials) return;
    retry = setTimeout(
      () => {
        retry = undefined;
        dial(attempt + 1);
      },
      retryMs * 2 ** (attempt - 1),
    ).unref();
  }

  function close(): void {
    closed = true;
    clearTimeout(retry);
    socket?.terminate();
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

    function openLog({ stream, taskId, follow, skips }: Extract<BulkRequest, { type: "open-log" }>): void {
      streams.get(stream)?.close();
      streams.delete(stream);
      const source = output(taskId);
      if (source === undefined) return endStream(stream, `this node has no output of ${taskId}, or keeps it no longer`);
      if (streams.size >= maxStreams) return endStream(stream, `this node sends ${maxStreams} logs already`);
      clearTimeout(idle);
      const send = (channel: LogChannel, bytes: Buffer) => current.send(encodeData(stream, channel, bytes));
      const skipped =
        skips === true ? (channel: LogChannel, bytes: number) => reply({ type: "skipped", stream, channel, bytes }) : undefined;
      streams.set(stream, streamLog({ output: source, follow, send, skipped, end: (error) => endStream(stream, error) }));
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
    });
  }

  return { open, close };
}

function parseRequest(text: string): BulkRequest | undefined {
  try {
    return bulkRequest.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
