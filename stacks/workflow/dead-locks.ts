/** Locks of Pulumi's file backend: whose a stack's lock is, and the end of one whose holder is dead. */
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { hostname, uptime } from "node:os";
import { join } from "node:path";

export interface LockHolder {
  readonly pid: number;
  readonly hostname: string;
}

/**
 * The living process, or the one of another host, that holds a lock in this directory; undefined when none does. Locks of
 * dead processes are removed, those alone. `isOwn`: only this computer uses the backend, whatever it was called then.
 */
export function lockHolder(directory: string, { isOwn = false }: { readonly isOwn?: boolean } = {}): LockHolder | undefined {
  if (!existsSync(directory)) return undefined;
  for (const name of readdirSync(directory)) {
    // Environments of version 0.3 and older have attributes beside each lock, which may be all that a killed process has written.
    if (!name.endsWith(".json")) continue;
    const file = join(directory, name);
    const lock = readLock(file);
    if (lock === undefined) continue;
    if ((!isOwn && lock.hostname !== hostname()) || holds(lock.pid, file)) return lock;
    rmSync(file, { force: true });
  }
  return undefined;
}

/** Whether that process is the Pulumi that made the lock: alive, not younger than the computer's start, and a Pulumi. */
function holds(pid: number, file: string): boolean {
  if (!isAlive(pid) || madeAt(file) < Date.now() - uptime() * 1000) return false;
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "latin1").includes("pulumi");
  } catch {
    // No /proc here: alive is all that can be known.
    return !existsSync("/proc/self");
  }
}

function madeAt(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function readLock(file: string): LockHolder | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as LockHolder;
  } catch {
    // Its holder has just let go, or died while it wrote it; Pulumi itself decides then.
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
