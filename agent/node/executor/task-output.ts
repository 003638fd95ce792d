/**
 * Bounds an attempt's output while it runs, without a process more. The files are appended to by the command itself, so
 * the oldest bytes are given back to the disk by a hole: sizes and offsets stay, and a reader is told where the output begins.
 */
import { execFile } from "node:child_process";
import { open, readFile, stat, truncate } from "node:fs/promises";
import { promisify } from "node:util";
import { type LogChannel, logChannels } from "../../contract/wire.ts";
import { writeDurably } from "../durable-file.ts";
import type { TaskDirectory } from "./task-directory.ts";

export type TaskOutputBound = ReturnType<typeof taskOutputBound>;

/** What one attempt's output may take unless its agent is told otherwise, stdout and stderr together. */
export const defaultLogBytes = 256 * 1024 ** 2;
/** The same of all attempts on a node. */
export const defaultLogTotalBytes = 8 * 1024 ** 3;

/** A hole ends where a line begins, if one does soon. */
const longestSearchBytes = 64 * 1024;
const newline = 10;
const punchTimeoutMs = 60_000;

export type PunchHole = (file: string, bytes: number) => Promise<void>;

export function taskOutputBound(directory: Pick<TaskDirectory, LogChannel>, punch: PunchHole = punchHole) {
  const cuts: Record<LogChannel, number> = { stdout: 0, stderr: 0 };
  let loaded: Promise<void> | undefined;

  async function load(): Promise<void> {
    for (const channel of logChannels) {
      const file = directory[channel];
      const at = Number(await readFile(cutFile(file), "utf8").catch(() => "0"));
      if (!Number.isSafeInteger(at) || at <= 0) continue;
      cuts[channel] = at;
      // The agent may have died between the note and the hole.
      await punch(file, at).catch(() => undefined);
    }
  }

  async function cut(channel: LogChannel, keep: number): Promise<void> {
    const file = directory[channel];
    const { size } = await stat(file);
    const at = await lineStart(file, size - keep, size);
    await note(channel, at);
    // Where the file system knows no holes, or there is no fallocate, all of it goes: the bound is what counts.
    await punch(file, at).catch(() => empty(channel));
  }

  async function empty(channel: LogChannel): Promise<void> {
    const file = directory[channel];
    const { size } = await stat(file);
    await note(channel, size);
    await truncate(file, 0);
    await truncate(file, size);
  }

  /** Before the bytes go, so that no reader takes a hole for output. */
  async function note(channel: LogChannel, at: number): Promise<void> {
    await writeDurably(cutFile(directory[channel]), `${at}\n`);
    cuts[channel] = at;
  }

  async function kept(): Promise<Record<LogChannel, number>> {
    loaded ??= load();
    await loaded;
    return { stdout: await keptOf("stdout"), stderr: await keptOf("stderr") };
  }

  async function keptOf(channel: LogChannel): Promise<number> {
    const { size } = await stat(directory[channel]).catch(() => ({ size: 0 }));
    // A command that opens its output anew (`>/dev/stdout`) has emptied it: what it writes begins at 0 again.
    if (size < cuts[channel]) await note(channel, 0);
    return size - cuts[channel];
  }

  return {
    /** How many of the channel's first bytes are no longer there. */
    cutOf: (channel: LogChannel): number => cuts[channel],

    /** Notices what a former agent has cut. Before the output is read. */
    load: (): Promise<void> => (loaded ??= load()),

    /** Bytes of output on the disk afterwards: at most `maxBytes`; when there are more the newest half of that is kept. */
    async bound(maxBytes: number): Promise<number> {
      const before = await kept();
      if (before.stdout + before.stderr <= maxBytes) return before.stdout + before.stderr;
      const keep = shares(before, Math.floor(maxBytes / 2));
      for (const channel of logChannels) if (keep[channel] < before[channel]) await cut(channel, keep[channel]);
      const after = await kept();
      return after.stdout + after.stderr;
    },
  };
}

/** How much of each channel is kept of `budget` bytes: half of it each, and what one does not need is the other's. Pure. */
export function shares(have: Readonly<Record<LogChannel, number>>, budget: number): Record<LogChannel, number> {
  const half = Math.floor(budget / 2);
  const stdout = Math.min(have.stdout, Math.max(half, budget - have.stderr));
  return { stdout, stderr: Math.min(have.stderr, budget - stdout) };
}

function cutFile(file: string): string {
  return `${file}.cut`;
}

/** The first line that begins at or after `from`; `from` itself when there is none nearby. */
async function lineStart(file: string, from: number, size: number): Promise<number> {
  const handle = await open(file, "r");
  try {
    const buffer = Buffer.alloc(Math.min(longestSearchBytes, size - from));
    const { bytesRead } = await handle.read(buffer, 0, buffer.length, from);
    const at = buffer.subarray(0, bytesRead).indexOf(newline);
    return at < 0 ? from : from + at + 1;
  } finally {
    await handle.close();
  }
}

/** Gives the first bytes of a file back to the disk; its size stays. Node has no call for it, util-linux has. Rejects where it can't be done. */
async function punchHole(file: string, bytes: number): Promise<void> {
  const args = ["--punch-hole", "--offset", "0", "--length", String(bytes), file];
  await promisify(execFile)("fallocate", args, { timeout: punchTimeoutMs });
}
