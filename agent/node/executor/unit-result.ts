/** What a unit's result says about its command: `<SERVICE_RESULT> <EXIT_CODE> <EXIT_STATUS> <state of the system>`, as systemd gave them to unit.sh. Pure. */
import { constants } from "node:os";
import type { CommandEnd } from "./launcher.ts";

/** Undefined when the line is none of ours. */
export function readUnitResult(line: string): CommandEnd | undefined {
  const [result, code, status, system, ...rest] = line.split(" ");
  if (result === undefined || code === undefined || status === undefined || system === undefined || rest.length > 0) return undefined;
  if (code === "none") return { begun: false, reason: `systemd could not begin it: ${result}` };
  const exitCode = code === "exited" ? Number(status) : 128 + signalNumber(status);
  if (!Number.isInteger(exitCode) || exitCode < 0 || exitCode > 255) return undefined;
  if (result === "oom-kill") return { begun: true, exitCode, cause: "out-of-memory" };
  // Its TERM or KILL, or its own orderly end on TERM, came from the host's going down.
  if (system === "stopping") return { begun: true, exitCode, cause: "shutdown" };
  return { begun: true, exitCode };
}

const firstRealTimeSignal = 34;
const lastRealTimeSignal = 64;

/** `KILL` → 9, `RTMIN+3` → 37; NaN for what is no signal. */
function signalNumber(name: string): number {
  const realTime = /^RT(MIN|MAX)(?:[+-](\d+))?$/.exec(name);
  if (realTime !== null) {
    const offset = Number(realTime[2] ?? 0);
    return realTime[1] === "MIN" ? firstRealTimeSignal + offset : lastRealTimeSignal - offset;
  }
  const numbers: Readonly<Record<string, number>> = constants.signals;
  return numbers[`SIG${name}`] ?? Number.NaN;
}

/** Exit codes of the process that was to become the command, when systemd could not make it so (systemd.exec(5)). */
const setupFailures: Readonly<Record<number, string>> = {
  200: "CHDIR",
  203: "EXEC",
  205: "LIMITS",
  208: "STDIN",
  209: "STDOUT",
  214: "SETSCHEDULER",
  216: "GROUP",
  217: "USER",
  218: "CAPABILITIES",
  219: "CGROUP",
  222: "STDERR",
  226: "NAMESPACE",
  227: "NO_NEW_PRIVILEGES",
  228: "SECCOMP",
  243: "CREDENTIALS",
};

/** For a launch that failed before its command: a sentence, when the result tells why. */
export function setupFailure(end: CommandEnd | undefined): string | undefined {
  if (end === undefined) return undefined;
  if (!end.begun) return end.reason;
  return `systemd could not set up its unit: status ${end.exitCode}${setupFailures[end.exitCode] === undefined ? "" : `/${setupFailures[end.exitCode]}`}`;
}
