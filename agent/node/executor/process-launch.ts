/** Runs an attempt's command as a process group under task-supervisor.sh. */
import { type ChildProcess, spawn } from "node:child_process";
import type { AgentConfig } from "../../contract/agent-config.ts";
import { withCrashPoint } from "../../contract/crash-point.ts";
import type { Launcher, LauncherOptions, LaunchMethod } from "./launcher.ts";
import { isSupervisor, killLeftovers, signalGroup } from "./supervisor-process.ts";
import { taskEnvironment } from "./task-environment.ts";
import { type TaskUsers, taskUsers } from "./task-users.ts";
import { watchResult } from "./watch-result.ts";

export interface ProcessHost {
  readonly node: string;
  /** Path of task-supervisor.sh. */
  readonly taskSupervisor: string;
  /** Of which each task gets one; without it tasks run as the agent's own user. */
  readonly taskUsers?: AgentConfig["taskUsers"];
}

/** A supervisor has fallen the latch but not written its pid: it is given this long. */
const pidGraceMs = 5000;

export function processLaunch(host: ProcessHost): LaunchMethod {
  const users = host.taskUsers === undefined ? undefined : taskUsers(host.taskUsers);
  return { launcher: (options) => processLauncher(host, users, options), latchIsDurable: false };
}

function processLauncher(host: ProcessHost, users: TaskUsers | undefined, { task, directory, changed }: LauncherOptions): Launcher {
  let child: ChildProcess | undefined;
  let stopWatching: (() => void) | undefined;

  function spawnDetached(): Promise<ChildProcess> {
    return new Promise((resolve, reject) => {
      const env = taskEnvironment(task, { node: host.node, workDirectory: directory.work, path: process.env.PATH });
      const args = [host.taskSupervisor, directory.path, ...task.command];
      const supervisor = spawn("/bin/sh", args, { cwd: directory.work, env, detached: true, stdio: "ignore" });
      supervisor.once("error", reject);
      supervisor.once("spawn", () => resolve(supervisor));
      supervisor.once("exit", changed);
      supervisor.unref();
    });
  }

  return {
    async start() {
      await users?.take(task.taskId, directory);
      await withCrashPoint("task.start", async () => {
        child = await spawnDetached();
      });
      return Date.now();
    },
    watch() {
      users?.hold(task.taskId, directory);
      stopWatching = watchResult(directory.path, changed);
    },
    async isAlive(started) {
      if (child !== undefined && child.exitCode === null && child.signalCode === null) return true;
      if (started === undefined) return false;
      if (started.pid === undefined) return Date.now() - started.at < pidGraceMs;
      return isSupervisor(started.pid, directory.path);
    },
    async signal(name) {
      // Our child may have found the latch fallen: then the task runs under another supervisor.
      const pid = (await directory.readStarted())?.pid ?? child?.pid;
      if (pid !== undefined && isSupervisor(pid, directory.path)) signalGroup(pid, name);
    },
    readEnd(line) {
      const exitCode = /^\d{1,3}$/.test(line) ? Number(line) : 256;
      return exitCode <= 255 ? { begun: true, exitCode } : undefined;
    },
    killLeftovers({ pid }) {
      if (pid !== undefined) killLeftovers(pid, task.taskId);
      users?.hold(task.taskId, directory);
      users?.killAllOf(task.taskId);
    },
    close() {
      users?.release(task.taskId);
      stopWatching?.();
      child?.removeAllListeners("exit");
    },
  };
}
