/** Sends one attempt's output as far as the receiver's credit goes; following goes on until the task has ended and all is sent. */
import { watch } from "node:fs";
import { type FileHandle, open } from "node:fs/promises";
import { describeError } from "../contract/errors.ts";
import { cutNotice, initialCreditBytes, type LogChannel, maxDataBytes } from "../contract/wire.ts";
import type { TaskOutput } from "./executor/executor.ts";

export interface LogStreamOptions {
  readonly output: TaskOutput;
  readonly follow: boolean;
  readonly send: (channel: LogChannel, bytes: Buffer) => void;
  /** Told of bytes that are no longer there; without it a line of text is sent in their place. */
  readonly skipped?: ((channel: LogChannel, bytes: number) => void) | undefined;
  /** Called once, unless the stream is closed before. */
  readonly end: (error?: string) => void;
}

export interface LogStream {
  credit(bytes: number): void;
  close(): void;
}

/** Growth is told by the file system; this is for those that do not tell. */
const pollMs = 250;

interface Source {
  readonly channel: LogChannel;
  readonly path: string;
  handle: FileHandle | undefined;
  offset: number;
  /** Where to stop: what was there at the beginning, when not following. */
  limit: number | undefined;
}

export function streamLog({ output, follow, send, skipped = lineOfText(send), end }: LogStreamOptions): LogStream {
  const sources: Source[] = (["stdout", "stderr"] as const).map((channel) => ({
    channel,
    path: output.files[channel],
    handle: undefined,
    offset: 0,
    limit: undefined,
  }));
  let credit = initialCreditBytes;
  let closed = false;
  let pumping = false;
  let wokenMeanwhile = false;
  const poll = follow ? setInterval(wake, pollMs).unref() : undefined;
  const watcher = follow ? watchDirectory(output.directory, wake) : undefined;

  function wake(): void {
    if (closed) return;
    wokenMeanwhile = true;
    if (pumping) return;
    pumping = true;
    void pump().finally(() => {
      pumping = false;
      if (closed) void closeHandles();
      else if (wokenMeanwhile) wake();
    });
  }

  async function pump(): Promise<void> {
    try {
      wokenMeanwhile = false;
      // Asked before reading: what was written before the end is read after this.
      const isLast = !follow || output.finished();
      let drained = true;
      for (const source of sources) drained = (await sendFrom(source)) && drained;
      if (drained && isLast) finish();
    } catch (error) {
      finish(`the output can't be read: ${describeError(error)}`);
    }
  }

  /** True when the source has nothing more at this moment. */
  async function sendFrom(source: Source): Promise<boolean> {
    source.handle ??= await openIfThere(source.path);
    if (source.handle === undefined) return true;
    const { size } = await source.handle.stat();
    if (!follow) source.limit ??= size;
    const upTo = Math.min(size, source.limit ?? size);
    while (source.offset < upTo && credit > 0 && !closed) {
      skipCut(source);
      if (source.offset >= upTo) break;
      const buffer = Buffer.allocUnsafe(Math.min(maxDataBytes, credit, upTo - source.offset));
      const { bytesRead } = await source.handle.read(buffer, 0, buffer.length, source.offset);
      if (bytesRead === 0) break;
      if (closed) return false;
      // Cut while it was read: it may have been a hole already.
      if (output.cutOf(source.channel) > source.offset) continue;
      source.offset += bytesRead;
      credit -= bytesRead;
      send(source.channel, buffer.subarray(0, bytesRead));
    }
    return source.offset >= upTo;
  }

  function skipCut(source: Source): void {
    const bytes = output.cutOf(source.channel) - source.offset;
    if (bytes <= 0) return;
    source.offset += bytes;
    skipped(source.channel, bytes);
  }

  function finish(error?: string): void {
    if (closed) return;
    close();
    end(error);
  }

  function close(): void {
    closed = true;
    clearInterval(poll);
    watcher?.close();
    if (!pumping) void closeHandles();
  }

  async function closeHandles(): Promise<void> {
    for (const source of sources) {
      await source.handle?.close().catch(() => undefined);
      source.handle = undefined;
    }
  }

  wake();
  return {
    credit(bytes) {
      credit += bytes;
      wake();
    },
    close,
  };
}

/** For masters that know of nothing else. */
function lineOfText(send: LogStreamOptions["send"]): NonNullable<LogStreamOptions["skipped"]> {
  return (channel, bytes) => send(channel, Buffer.from(cutNotice(bytes)));
}

function watchDirectory(path: string, onChange: () => void) {
  try {
    const watcher = watch(path, onChange);
    watcher.on("error", () => watcher.close());
    return watcher;
  } catch {
    return undefined; // not there yet, or no watches left: the poll does it
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, "r");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
