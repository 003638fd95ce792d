/** The processes of a local machine: which they are, and their end when its power goes off. */

import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

interface ProcessRow {
  readonly pid: number;
  readonly group: number;
  readonly command: string;
}

/** Programs that run nowhere but on a machine; with the machine's directory in their arguments they are that machine's. */
const machinePrograms = /(machine\.ts|agent\.js|supervise\.sh|task-supervisor\.sh) /;

/** Whether this process is the SSH server of the machine in `directory`; a reused pid is never taken for it. */
export function isMachineServer(pid: number, directory: string): boolean {
  return listProcesses().some((row) => row.pid === pid && row.command.includes("machine.ts") && row.command.endsWith(directory));
}

/** Ends every process of the machine in `directory`, whole process groups, and returns when none is left. */
export async function endMachineProcesses(directory: string): Promise<void> {
  const deadline = Date.now() + 10_000;
  for (;;) {
    const rows = processesOf(directory);
    if (rows.length === 0) return;
    if (Date.now() > deadline) throw new Error(`processes of ${directory} do not end: ${rows.map((row) => row.pid).join(", ")}`);
    for (const row of rows) {
      kill(-row.group);
      kill(row.pid);
    }
    await delay(20);
  }
}

function processesOf(directory: string): ProcessRow[] {
  const self = process.pid;
  return listProcesses().filter((row) => row.pid !== self && row.group !== self && belongs(row, directory));
}

function belongs(row: ProcessRow, directory: string): boolean {
  if (machinePrograms.test(`${row.command} `) && (row.command.includes(`${directory}/`) || row.command.endsWith(directory))) return true;
  try {
    return readFileSync(`/proc/${row.pid}/environ`, "latin1").split("\0").includes(`SPILLWAY_MACHINE=${directory}`);
  } catch {
    // Not Linux, or already gone, or another user's: then only the command line tells.
    return false;
  }
}

function listProcesses(): ProcessRow[] {
  return process.platform === "linux" ? listFromProc() : listFromPs();
}

function listFromProc(): ProcessRow[] {
  const rows: ProcessRow[] = [];
  for (const entry of readdirSync("/proc")) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const stat = readFileSync(`/proc/${entry}/stat`, "latin1");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      if (fields[0] === "Z") continue;
      const command = readFileSync(`/proc/${entry}/cmdline`, "utf8").split("\0").join(" ").trimEnd();
      rows.push({ pid: Number(entry), group: Number(fields[2]), command });
    } catch {
      // It ended while we looked.
    }
  }
  return rows;
}

function listFromPs(): ProcessRow[] {
  const text = execFileSync("ps", ["-axo", "pid=,pgid=,stat=,command="], { encoding: "utf8", maxBuffer: 64 * 1024 * 1024 });
  const rows: ProcessRow[] = [];
  for (const line of text.split("\n")) {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line);
    if (match !== null && !match[3]?.startsWith("Z"))
      rows.push({ pid: Number(match[1]), group: Number(match[2]), command: match[4] ?? "" });
  }
  return rows;
}

function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // Already gone.
  }
}
