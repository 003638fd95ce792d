/** Copies a task's output to this process's streams, byte for byte, and goes on where it was when the log is opened again. */
import { once } from "node:events";
import type { Writable } from "node:stream";
import type { LogLine } from "../agent/contract/api.ts";
import { SpillwayError } from "../agent/contract/errors.ts";
import type { LogChannel } from "../agent/contract/wire.ts";
import { clearStatus } from "./output.ts";

/** Takes bytes; resolves when it can take more. */
export type Sink = (bytes: Buffer) => Promise<void>;
export type LogSinks = Readonly<Record<LogChannel, Sink>>;

/**
 * One task's log. `run` may be called again with a newly opened log of the same task: what was written already is
 * skipped. It throws `log-unreadable` when the node says that the log can't be read to its end.
 */
export function copyLog(sinks: LogSinks = ownStreams()) {
  const written: Record<LogChannel, number> = { stdout: 0, stderr: 0 };

  async function run(lines: AsyncIterable<LogLine>, progress: () => void = () => {}): Promise<void> {
    const seen: Record<LogChannel, number> = { stdout: 0, stderr: 0 };
    for await (const line of lines) {
      progress();
      if ("end" in line) {
        if (line.error !== undefined)
          throw new SpillwayError(`the log can't be read to its end: ${line.error}`, {
            code: "log-unreadable",
            hint: "Its node may be away or have deleted it: `spillway nodes list` shows that; when the node is back, try again.",
          });
        return;
      }
      const bytes = Buffer.from(line.data, "base64");
      if (line.skipped !== undefined) {
        seen[line.channel] += line.skipped;
        if (seen[line.channel] <= written[line.channel]) continue;
        written[line.channel] = seen[line.channel];
        // It is no output of the task.
        await sinks.stderr(bytes);
        continue;
      }
      const fresh = bytes.subarray(Math.max(0, Math.min(bytes.length, written[line.channel] - seen[line.channel])));
      seen[line.channel] += bytes.length;
      if (fresh.length === 0) continue;
      written[line.channel] += fresh.length;
      await sinks[line.channel](fresh);
    }
  }
  return { run, written };
}

/** This process's stdout and stderr. */
export function ownStreams(): LogSinks {
  return { stdout: streamSink(process.stdout), stderr: streamSink(process.stderr) };
}

/** For programs: a JSON line `{channel, data}` on stdout for each piece of either channel, `data` in base64, as in the API. */
export function jsonLineSinks(): LogSinks {
  const out = streamSink(process.stdout);
  const sink = (channel: LogChannel): Sink => {
    return (bytes) => out(Buffer.from(`${JSON.stringify({ channel, data: bytes.toString("base64") })}\n`));
  };
  return { stdout: sink("stdout"), stderr: sink("stderr") };
}

function streamSink(stream: Writable): Sink {
  return async (bytes) => {
    clearStatus();
    if (!stream.write(bytes)) await once(stream, "drain");
  };
}

/** Sinks for an index of an array: whole lines, each with a prefix, so that tasks don't mix within a line. */
export function prefixedSinks(prefix: string, sinks: LogSinks): LogSinks & { flush(): Promise<void> } {
  const stdout = linePrefixer(prefix, sinks.stdout);
  const stderr = linePrefixer(prefix, sinks.stderr);
  return {
    stdout: stdout.sink,
    stderr: stderr.sink,
    async flush() {
      await stdout.flush();
      await stderr.flush();
    },
  };
}

/** A line longer than this is cut into pieces, so that one without an end can't fill the memory. */
const longestLineBytes = 64 * 1024;
const newline = 10;

function linePrefixer(prefix: string, target: Sink): { sink: Sink; flush(): Promise<void> } {
  let rest: Buffer = Buffer.alloc(0);
  const sink: Sink = async (bytes) => {
    rest = Buffer.concat([rest, bytes]);
    const lines: Buffer[] = [];
    for (let end = rest.indexOf(newline); end >= 0; end = rest.indexOf(newline)) {
      lines.push(Buffer.from(prefix), rest.subarray(0, end + 1));
      rest = rest.subarray(end + 1);
    }
    if (rest.length >= longestLineBytes) {
      lines.push(Buffer.from(prefix), rest, Buffer.from("\n"));
      rest = Buffer.alloc(0);
    }
    if (lines.length > 0) await target(Buffer.concat(lines));
  };
  const flush = async (): Promise<void> => {
    if (rest.length > 0) await target(Buffer.concat([Buffer.from(prefix), rest, Buffer.from("\n")]));
    rest = Buffer.alloc(0);
  };
  return { sink, flush };
}
