/** The operating system's side of a task: is its supervisor alive, which processes are in its group, send them a signal. */
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";

const hasProc = existsSync("/proc/self/cmdline");

/** Whether this pid is the supervisor of that task directory: a pid alone may belong to somebody else by now. */
export function isSupervisor(pid: number, taskDirectory: string): boolean {
  if (hasProc) return readProc(pid, "cmdline").split("\0").includes(taskDirectory);
  return ` ${ps(["-ww", "-o", "command=", "-p", String(pid)]).trim()} `.includes(` ${taskDirectory} `);
}

/** To the whole group. False when there is no such group any more. */
export function signalGroup(leader: number, signal: "SIGTERM" | "SIGKILL"): boolean {
  try {
    process.kill(-leader, signal);
    return true;
  } catch {
    return false;
  }
}

/**
 * Kills what is left of a group whose leader has vanished. Each process must prove by its environment that it is the
 * task's: the number may have been given to another group since.
 */
export function killLeftovers(leader: number, taskId: string): void {
  for (const pid of membersOf(leader)) {
    if (!environmentOf(pid).includes(`SPILLWAY_TASK_ID=${taskId}`)) continue;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself meanwhile.
    }
  }
}

/** Kills whatever runs by this user: one that is a single task's, so its processes are too, in whichever group they are. */
export function killProcessesOf(user: number): void {
  for (const pid of processIds()) {
    if (Number(/^Uid:\s+(\d+)/m.exec(readProc(pid, "status"))?.[1]) !== user) continue;
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself meanwhile.
    }
  }
}

function membersOf(leader: number): number[] {
  if (!hasProc) {
    const lines = ps(["-axo", "pid=,pgid="]).split("\n");
    return lines
      .map((line) => line.trim().split(/\s+/).map(Number))
      .flatMap(([pid, group]) => (pid !== undefined && group === leader ? [pid] : []));
  }
  // "pid (name) state ppid pgrp …"; a name may hold spaces and brackets, so count from the last one.
  return processIds().filter((pid) => Number(readProc(pid, "stat").split(") ").at(-1)?.split(" ")[2]) === leader);
}

function processIds(): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function environmentOf(pid: number): string[] {
  return hasProc
    ? readProc(pid, "environ").split("\0")
    : ps(["-wwE", "-o", "command=", "-p", String(pid)])
        .trim()
        .split(/\s+/);
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

/** Where there is no /proc. No such process is an exit code of 1: no output. */
function ps(args: string[]): string {
  try {
    return execFileSync("ps", args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return "";
  }
}
