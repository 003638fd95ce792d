/** Whether a process still runs. A zombie does not: it has ended, only its parent has not asked. */
import { execFileSync } from "node:child_process";

export function processAlive(pid: number): boolean {
  try {
    const state = execFileSync("ps", ["-o", "stat=", "-p", String(pid)], { encoding: "utf8" }).trim();
    return state !== "" && !state.startsWith("Z");
  } catch {
    return false;
  }
}
