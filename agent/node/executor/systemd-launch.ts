/** Runs an attempt's command as a transient unit of systemd. */
import { randomUUID } from "node:crypto";
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { withCrashPoint } from "../../contract/crash-point.ts";
import { SpillwayError } from "../../contract/errors.ts";
import { taskSlice, taskUnitOf } from "../../contract/install-layout.ts";
import type { Launcher, LauncherOptions, LaunchMethod } from "./launcher.ts";
import { askSystemd } from "./systemctl.ts";
import { taskEnvironment } from "./task-environment.ts";
import { commandScript, taskUnitArguments, taskUnitScript } from "./task-unit.ts";
import { cgroupMemoryMiB, hasProcesses, unitCgroups } from "./unit-cgroup.ts";
import { readUnitResult, setupFailure } from "./unit-result.ts";
import { watchResult } from "./watch-result.ts";

export interface SystemdHost {
  readonly node: string;
  /** Directories no task may look into: Spillway's own. */
  readonly hidden: readonly string[];
  /** Whether the kernel ends a task that uses more memory than it asked for; if not, the agent does. */
  readonly memoryIsEnforced: boolean;
}

/** KILL again and again would hit what writes the result. */
const killAgainMs = 1000;
const unitGonePollMs = 20;
const unitGoneTimeoutMs = 10_000;
/** How often a unit of a former agent may be in the way. */
const maxLaunches = 3;

export function systemdLaunch(host: SystemdHost): LaunchMethod {
  const cgroups = unitCgroups();
  const slice = cgroups === undefined ? undefined : join(cgroups, taskSlice);
  return { launcher: (options) => systemdLauncher(host, slice, options), latchIsDurable: true };
}

function systemdLauncher(host: SystemdHost, slice: string | undefined, { task, directory, changed }: LauncherOptions): Launcher {
  const unit = taskUnitOf(task.taskId);
  const cgroup = slice === undefined ? undefined : join(slice, unit);
  let stopWatching: (() => void) | undefined;
  let killedAt = 0;

  async function start(): Promise<number> {
    const env = taskEnvironment(task, { node: host.node, workDirectory: directory.work, path: process.env.PATH });
    await writeScript(directory.commandScript, commandScript(task.command, env));
    await writeScript(directory.unitScript, taskUnitScript);
    await withCrashPoint("task.start", launch);
    watch();
    changed(); // it may have ended already
    return (await directory.readStarted())?.at ?? Date.now();
  }

  /** Resolves when the command has begun, by this launch or another. */
  async function launch(): Promise<void> {
    for (let launches = 1; ; launches++) {
      const token = randomUUID();
      try {
        await askSystemd("systemd-run", taskUnitArguments({ task, directory, token, hidden: host.hidden }));
        return;
      } catch (error) {
        // A former agent's wish may have come true just now, or be about to.
        await unitGoneOrBegun();
        const started = await directory.readStarted();
        if (started === undefined && launches < maxLaunches && isTaken(error)) continue;
        // From here on nobody can begin it: what is told as not started will never run.
        if (await directory.claimLatch()) throw error;
        // Ours, and over before the command: unless it was only systemd-run that gave up, and the unit goes on.
        if ((await directory.readStarted())?.by === token && (await isLoaded()) === false) throw (await failedSetup()) ?? error;
        return;
      }
    }
  }

  async function unitGoneOrBegun(): Promise<void> {
    const deadline = Date.now() + unitGoneTimeoutMs;
    while (Date.now() < deadline && (await directory.readStarted()) === undefined && (await isLoaded()) === true)
      await delay(unitGonePollMs);
  }

  async function failedSetup(): Promise<SpillwayError | undefined> {
    const result = await directory.readResult();
    const sentence = setupFailure(result === undefined ? undefined : readUnitResult(result.line));
    return sentence === undefined ? undefined : new SpillwayError(sentence, { code: "systemd-refused" });
  }

  /** Undefined when systemd does not answer. */
  async function isLoaded(): Promise<boolean | undefined> {
    if (cgroup !== undefined && hasProcesses(cgroup)) return true;
    const state = await property("ActiveState");
    return state === undefined ? undefined : state !== "inactive" && state !== "failed";
  }

  async function property(name: string): Promise<string | undefined> {
    const value = await askSystemd("systemctl", ["show", `--property=${name}`, "--value", unit]).catch(() => undefined);
    return value?.trim();
  }

  function watch(): void {
    stopWatching ??= watchResult(directory.path, changed);
  }

  return {
    start,
    watch,
    // A systemd too busy to answer is no reason to give a task up.
    isAlive: async () => (await isLoaded()) ?? true,
    async signal(name) {
      if (name === "SIGKILL") {
        if (Date.now() - killedAt < killAgainMs) return;
        // Where only the result is still to be written there is nobody left to be killed.
        if ((await property("SubState")) === "stop-post") return;
        killedAt = Date.now();
      }
      // No such unit: it has just ended, and its result is on the disk.
      await askSystemd("systemctl", ["kill", `--signal=${name}`, unit]).catch(() => undefined);
    },
    readEnd: readUnitResult,
    killLeftovers: () => undefined, // systemd leaves none
    async excess() {
      const { memory } = task.resources;
      if (host.memoryIsEnforced || memory === 0 || cgroup === undefined) return undefined;
      const usedMiB = Math.ceil(cgroupMemoryMiB(cgroup, memory));
      if (usedMiB <= memory) return undefined;
      return `it used ${usedMiB} MiB of memory and asked for ${memory} MiB (watched by the agent: this host's kernel does not enforce memory)`;
    },
    close: () => stopWatching?.(),
  };
}

function isTaken(error: unknown): boolean {
  return error instanceof Error && /already (loaded|exists)/.test(error.message);
}

/** For root alone: it may hold secrets of the task's environment. */
async function writeScript(path: string, content: string): Promise<void> {
  await writeFile(path, content, { mode: 0o600 });
  await chmod(path, 0o600);
}
