/**
 * The burster as a supervised process of this computer: started apart from the terminal, started anew when it dies, known
 * again by the directory in its supervisor's command line.
 */
import { spawn } from "node:child_process";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { type BursterConfig, burstLayout } from "./config.ts";
import { signalled } from "./signalled.ts";

const supervisor = join(import.meta.dirname, "..", "..", "agent", "bundle", "supervise.sh");
const program = join(import.meta.dirname, "main.ts");
const startTimeoutMs = 5000;
/** An engine that is cancelled finishes the resource it is at. */
const stopTimeoutMs = 60_000;

/** Environment variables that the burster needs and that `up` has. */
const inherited =
  /^(PATH|HOME|USER|LOGNAME|LANG|LC_ALL|TZ|TMPDIR|SSH_AUTH_SOCK|NODE_COMPILE_CACHE|XDG_CACHE_HOME|PULUMI_HOME|SPILLWAY_(CACHE|PRICES|CRASH_AT|CRASH_MARKER|(AWS|AZURE)_\w+)|(AWS|ARM|AZURE)_\w+)$/;

/** Those of this process's variables that a burster started from here runs with. */
export function variablesToKeep(variables: Readonly<Record<string, string | undefined>> = process.env): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).flatMap(([name, value]) => (inherited.test(name) && value !== undefined ? [[name, value]] : [])),
  );
}

/** Whether its supervisor runs, which keeps the burster running. */
export function isBursterRunning(directory: string): boolean {
  return supervisorOf(directory) !== undefined;
}

/** Starts it; nothing happens when it runs. Throws `burster-start-failed` with the last words of its log. */
export async function startBurster(config: BursterConfig): Promise<void> {
  const { unit } = burstLayout(config.directory);
  if (isBursterRunning(config.directory)) return;
  mkdirSync(unit, { recursive: true, mode: 0o700 });
  mkdirSync(config.logs, { recursive: true });
  const logFile = join(config.logs, "burster.log");
  await withCrashPoint("burster.start", () => {
    const log = openSync(logFile, "a", 0o600);
    const child = spawn("/bin/sh", [supervisor, unit, "--", process.execPath, program, config.directory], {
      cwd: "/",
      detached: true,
      env: config.variables,
      stdio: ["ignore", log, log],
    });
    closeSync(log);
    child.unref();
  });
  const deadline = Date.now() + startTimeoutMs;
  while (!isBursterRunning(config.directory)) {
    if (Date.now() > deadline) {
      throw new SpillwayError("the burster did not start", {
        code: "burster-start-failed",
        where: `environment ${config.environment}`,
        hint: `Its log: ${logFile}`,
      });
    }
    await delay(20);
  }
}

/** Ends it in order, also one whose supervisor is dead, and waits until it is gone. Throws `burster-stop-failed` when it does not end. */
export async function stopBurster(directory: string): Promise<void> {
  const ours = () => [supervisorOf(directory), bursterOf(directory)].filter((pid) => pid !== undefined);
  if (ours().length === 0) return;
  await withCrashPoint("burster.stop", () => {
    for (const pid of ours()) signalled(pid, "SIGTERM");
  });
  const deadline = Date.now() + stopTimeoutMs;
  while (ours().length > 0) {
    if (Date.now() > deadline) {
      throw new SpillwayError(`the burster (process ${ours().join(", ")}) does not end`, {
        code: "burster-stop-failed",
        where: directory,
        hint: "Run it again; or end that process by hand.",
      });
    }
    await delay(50);
  }
}

function supervisorOf(directory: string): number | undefined {
  const { unit } = burstLayout(directory);
  return processIn(join(unit, "supervisor.pid"), unit);
}

function bursterOf(directory: string): number | undefined {
  return processIn(join(burstLayout(directory).unit, "role.pid"), directory);
}

/** The process whose id the file holds, if it lives and has this word in its command line. */
function processIn(file: string, word: string): number | undefined {
  if (!existsSync(file)) return undefined;
  const pid = Number(readFileSync(file, "utf8").trim());
  if (!Number.isInteger(pid) || pid <= 0 || !signalled(pid, 0)) return undefined;
  // A pid may belong to somebody else by now; without /proc being alive has to do.
  const line = `/proc/${pid}/cmdline`;
  if (!existsSync("/proc/self")) return pid;
  try {
    return readFileSync(line, "latin1").split("\0").includes(word) ? pid : undefined;
  } catch {
    return undefined;
  }
}
