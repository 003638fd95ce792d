/** What an environment has left on this computer, counted from outside: by the process list and the file system. */
import { existsSync, readdirSync, readFileSync } from "node:fs";

export interface FoundProcess {
  readonly pid: number;
  readonly command: string;
}

/**
 * Running processes whose command line, working directory or environment names the directory. Reads /proc; on another
 * system there is none and the suite says so.
 */
export function processesOf(directory: string): FoundProcess[] {
  if (!existsSync("/proc/self")) throw new Error("counting leftovers needs /proc");
  const found: FoundProcess[] = [];
  for (const entry of readdirSync("/proc")) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const command = readQuietly(`/proc/${pid}/cmdline`).split("\0").join(" ").trim();
    const environment = readQuietly(`/proc/${pid}/environ`);
    if (command.includes(directory) || environment.includes(`SPILLWAY_MACHINE=${directory}`)) found.push({ pid, command });
  }
  return found;
}

function readQuietly(file: string): string {
  try {
    return readFileSync(file, "latin1");
  } catch {
    // It ended while we looked, or is not ours to read.
    return "";
  }
}
