/** The lab's process list: this machine's /proc, read without any other program. */
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { waitUntil } from "../../support/wait-until.ts";

/** Who a process is: its id may be given again to another, its start time (clock ticks since the machine started) tells them apart. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly startTime: number;
}

export interface HostProcess {
  /** Process id as this machine sees it. */
  readonly pid: number;
  /** Process id as the host sees it. */
  readonly pidInside: number;
  /** Numeric user id. */
  readonly uid: number;
  /** Words joined by a space; the name in brackets when it has no words. */
  readonly command: string;
}

export function processIds(): number[] {
  return readdirSync("/proc")
    .map(Number)
    .filter((pid) => Number.isInteger(pid));
}

/** Undefined when there is no such process, or only what is left of it until its parent asks. */
export function processIdentity(pid: number): ProcessIdentity | undefined {
  // The name is in parentheses and may hold spaces, so fields are counted after it: the first there is the state, the 20th the start time.
  const fields = readProc(pid, "stat")
    .replace(/^.*\) /s, "")
    .split(" ");
  const [state = ""] = fields;
  return state === "" || "ZX".includes(state) ? undefined : { pid, startTime: Number(fields[19]) };
}

export function isAlive(identity: ProcessIdentity): boolean {
  return processIdentity(identity.pid)?.startTime === identity.startTime;
}

/** Processes of the namespace of this machine's process `initPid`, which is process 1 there. */
export function processesInside(initPid: number): HostProcess[] {
  const namespace = pidNamespace(initPid);
  if (namespace === undefined) return [];
  return processIds().flatMap((pid) => {
    if (pidNamespace(pid) !== namespace || processIdentity(pid) === undefined) return [];
    const status = readProc(pid, "status");
    const pidInside = Number(/^NSpid:.*\s(\d+)$/m.exec(status)?.[1]);
    const uid = Number(/^Uid:\s+(\d+)/m.exec(status)?.[1]);
    return [{ pid, pidInside, uid, command: commandLine(pid) || `[${/^Name:\s+(.*)$/m.exec(status)?.[1] ?? ""}]` }];
  });
}

/** The process that is number 1 of a namespace of its own among the descendants of `pid`; undefined before it has come up. */
export function initBelow(pid: number): number | undefined {
  return readProc(pid, `task/${pid}/children`)
    .split(" ")
    .map(Number)
    .find((child) => child > 0 && /^NSpid:\s+\d+\s+1$/m.test(readProc(child, "status")));
}

export function commandLine(pid: number): string {
  return readProc(pid, "cmdline").split("\0").join(" ").trim();
}

/** Control groups of a process as /proc tells them, one line a hierarchy. */
export function controlGroups(pid: number): string {
  return readProc(pid, "cgroup");
}

/** Ends processes by force and waits until they are gone. */
export async function killAll(pids: readonly number[]): Promise<void> {
  const identities = pids.map(processIdentity).filter((identity) => identity !== undefined);
  for (const { pid } of identities) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
  await waitUntil(`processes ${pids.join(", ")} have ended`, () => !identities.some(isAlive), 20_000);
}

function pidNamespace(pid: number): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/ns/pid`);
  } catch {
    return undefined;
  }
}

function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    // It ended while we looked.
    return "";
  }
}
