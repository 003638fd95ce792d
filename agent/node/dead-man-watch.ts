/** The dead-man timer of a node that was bought: when no master welcomes it for too long, its tasks are stopped and its machine ends. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { AgentConfig } from "../contract/agent-config.ts";
import { withCrashPoint } from "../contract/crash-point.ts";
import { describeError, SpillwayError } from "../contract/errors.ts";
import { formatDuration } from "../contract/quantities.ts";
import { afterGap, isForsaken, type KeptSilence, keptSilence, refreshOf, silenceAtStart } from "./dead-man.ts";
import { writeDurably } from "./durable-file.ts";
import type { Log } from "./log.ts";

export type DeadMan = NonNullable<AgentConfig["deadMan"]>;

export interface DeadManOptions {
  readonly deadMan: DeadMan;
  readonly stateDir: string;
  readonly log: Log;
  /** Called once; the reason is a sentence. */
  readonly onForsaken: (reason: string) => void;
  readonly time?: DeadManTime;
}

export interface DeadManTime {
  /** ms since the epoch; it may jump. */
  readonly wall: () => number;
  /** ms that never jump. */
  readonly monotonic: () => number;
}

export interface DeadManWatch {
  /** A master that wants this node was heard. */
  contact(): void;
  /** To be called every `tickMs`. */
  tick(): void;
  readonly tickMs: number;
  /** Resolves when what was measured is on the disk. */
  keep(): Promise<void>;
}

const longestTickMs = 1000;
/** A tick that comes so many times later than it should: the agent was stopped, so it could hear nobody. */
const stoppedAfterTicks = 5;
const endTimeoutMs = 120_000;

export function watchDeadMan(options: DeadManOptions): DeadManWatch {
  const { log, stateDir, time = { wall: Date.now, monotonic: () => performance.now() } } = options;
  const { silenceMs } = options.deadMan;
  const file = join(stateDir, "dead-man.json");
  const tickMs = Math.min(longestTickMs, silenceMs / 20);
  const refreshMs = refreshOf(silenceMs);
  let silentMs = silenceAtStart(readKept(file, log), time.wall(), silenceMs);
  let lastTick = time.monotonic();
  let keptAt = Number.NEGATIVE_INFINITY;
  let keptSilentMs = silentMs;
  let writing: Promise<void> = Promise.resolve();
  let forsaken = false;

  /** One write at a time, in their order. */
  function keep(): Promise<void> {
    keptAt = time.monotonic();
    keptSilentMs = silentMs;
    const kept: KeptSilence = { silentMs, writtenAt: time.wall() };
    writing = writing
      .then(() => writeDurably(file, JSON.stringify(kept)))
      .catch((error: unknown) => log.warn(`the time of the last contact can't be kept: ${describeError(error)}`));
    return writing;
  }

  if (silentMs > 0)
    log.info(`no master has welcomed this node for ${formatDuration(silentMs)}; it ends after ${formatDuration(silenceMs)}`);
  void keep();
  return {
    tickMs,
    keep,
    contact() {
      if (forsaken) return;
      silentMs = 0;
      lastTick = time.monotonic();
      // What is on the disk must not end it after a restart.
      if (keptSilentMs > refreshMs) void keep();
    },
    tick() {
      const now = time.monotonic();
      const elapsedMs = now - lastTick;
      lastTick = now;
      silentMs = elapsedMs > stoppedAfterTicks * tickMs ? afterGap(silentMs, elapsedMs, silenceMs) : silentMs + elapsedMs;
      if (!forsaken && isForsaken(silentMs, silenceMs)) {
        forsaken = true;
        void keep();
        options.onForsaken(`no master has welcomed this node for ${formatDuration(silentMs)} (the limit is ${formatDuration(silenceMs)})`);
      } else if (now - keptAt >= refreshMs) void keep();
    },
  };
}

/** Runs the command that ends the machine; without one there is nothing to do. Throws a SpillwayError `end-failed`. */
export async function endMachine({ end }: DeadMan): Promise<void> {
  const [program, ...args] = end;
  if (program === undefined) return;
  await withCrashPoint("dead-man.end", async () => {
    // In a group of its own: what ends this agent's group must not end it half-way.
    const child = spawn(program, args, { detached: true, stdio: ["ignore", "ignore", "inherit"], timeout: endTimeoutMs });
    const [code, signal] = await once(child, "exit").catch((cause: unknown) => {
      throw endFailed(program, describeError(cause), cause);
    });
    if (code !== 0) throw endFailed(program, code === null ? `it was ended by ${String(signal)}` : `it ended with ${String(code)}`);
  });
}

function endFailed(program: string, why: string, cause?: unknown): SpillwayError {
  return new SpillwayError(`this machine can't be ended: ${why}`, {
    code: "end-failed",
    where: program,
    hint: "It still costs; the agent tries again. By hand: spillway fsck --fix",
    cause,
  });
}

/** What can't be read counts as if nothing had been kept: the silence begins now. */
function readKept(file: string, log: Log): KeptSilence | undefined {
  try {
    return keptSilence.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") log.warn(`${file} can't be read: the silence is counted from now on`);
    return undefined;
  }
}
