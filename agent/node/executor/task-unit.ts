/**
 * An attempt as a transient unit of systemd: its name, the arguments of systemd-run, and the two scripts it runs. Pure.
 *
 * Neither command nor environment is in the unit: any user of the host may read units, and of what has `$` or `;` in it
 * systemd 252 can't read back after a `daemon-reload` what it wrote itself. It also forgets commands with a prefix (`+`)
 * then, so it is PermissionsStartOnly that lets unit.sh run as root.
 */
import { taskSlice, taskUnitOf } from "../../contract/install-layout.ts";
import type { TaskSpec } from "../../contract/workload.ts";
import { taskUnitSandbox } from "./task-unit-sandbox.ts";

export interface TaskUnit {
  readonly task: TaskSpec;
  /** The attempt's directory and what is in it; absolute. */
  readonly directory: {
    readonly path: string;
    readonly work: string;
    readonly stdout: string;
    readonly stderr: string;
    readonly commandScript: string;
    readonly unitScript: string;
  };
  /** Tells this launch from every other of the same attempt. */
  readonly token: string;
  /** Directories no task may look into; one of them may hold the attempt's own. */
  readonly hidden: readonly string[];
}

/** Bounds of the grace when the host goes down: 0 would mean for ever, and nobody waits an hour for a reboot. */
const shortestStopMs = 1000;
const longestStopMs = 90_000;
/** What comes before the command (a script, the sandbox) takes some ms; a host that swaps may take long. */
const startTimeoutMs = 60_000;
/** Processes and threads: more than any runtime needs, and far fewer than a fork bomb makes. */
const maxTasks = 8192;
const bytesPerMiB = 1024 ** 2;

/** The arguments of systemd-run. */
export function taskUnitArguments(unit: TaskUnit): string[] {
  const { task, directory, token } = unit;
  const properties = [
    "Type=exec", // systemd-run waits until the command's process is there
    "Restart=no",
    // Main process first when the host goes down; what it leaves running when it has ended is killed at once.
    "KillMode=mixed",
    `TimeoutStopSec=${Math.min(longestStopMs, Math.max(shortestStopMs, task.graceMs))}ms`,
    `TimeoutStartSec=${startTimeoutMs}ms`,
    "PermissionsStartOnly=yes",
    `ExecStartPre=/bin/sh ${seenFromInside(directory.unitScript)} begin ${token}`,
    `ExecStopPost=/bin/sh ${seenFromInside(directory.unitScript)} end ${token}`,
    `StandardInput=file:${directory.commandScript}`,
    `StandardOutput=append:${directory.stdout}`,
    `StandardError=append:${directory.stderr}`,
    `WorkingDirectory=${directory.work}`,
    "IgnoreSIGPIPE=no", // `yes | head` ends as in a shell
    ...taskUnitLimits(task),
    ...taskUnitSandbox({ work: directory.work, hidden: unit.hidden, devices: task.resources.gpus.length > 0 }),
  ];
  return [
    "--quiet",
    "--collect", // a unit that failed does not stay
    `--unit=${taskUnitOf(task.taskId)}`,
    `--slice=${taskSlice}`,
    `--description=Spillway task ${task.taskId}`,
    ...properties.map((property) => `--property=${property}`),
    // `env -i`: systemd puts names of its own into the environment, more with each version. The shell reads command.sh.
    "/usr/bin/env",
    "-i",
    "/bin/sh",
  ];
}

/**
 * Memory is a ceiling, cpu a weight: a task gets at least its share when all want theirs, and more when the host is idle;
 * a quota would leave the host idle beside a task that waits.
 */
function taskUnitLimits({ resources: { cpu, memory } }: TaskSpec): string[] {
  return [
    ...(memory === 0 ? [] : [`MemoryMax=${memory * bytesPerMiB}`, "MemorySwapMax=0"]),
    ...(cpu === 0 ? [] : [`CPUWeight=${Math.min(10_000, Math.max(1, Math.round(cpu / 10)))}`]), // 1000 millicores are 100, systemd's default
    `TasksMax=${maxTasks}`,
    "OOMPolicy=kill", // all of the task, not one of its processes
    "OOMScoreAdjust=200", // before the agent and what else the host needs
  ];
}

/** The unit's own view hides the directory; its root scripts reach it through process 1. */
function seenFromInside(path: string): string {
  return `/proc/1/root${path}`;
}

/**
 * What the unit runs as root before and after the command: `unit.sh begin|end TOKEN`. The result's room on the disk is
 * taken before the command runs, so that a disk it fills can't lose its exit code. TERM goes to every process of the unit,
 * also to these, and must not end them half-way.
 */
export const taskUnitScript = `set -u
dir=\${0%/*}
trap '' TERM
exec 2>/dev/null
case $1 in
begin)
  user=$(readlink "/proc/1/root/run/systemd/dynamic-uid/direct:$USER") || exit 1
  chown "$user:$user" "$dir/work" "$dir/stdout.log" "$dir/stderr.log" || exit 1
  # The latch. Whoever comes second finds the directory there and must not run the command again.
  mkdir "$dir/started" || exit 1
  if echo "$2" >"$dir/started/by" && echo '${" ".repeat(120)}' >"$dir/started/result" &&
    sync "$dir/started/by" "$dir/started/result" "$dir/started" "$dir"; then exit 0; fi
  rm -rf "$dir/started"
  exit 1
  ;;
end)
  [ "$(cat "$dir/started/by")" = "$2" ] || exit 0
  system=$(systemctl is-system-running)
  line="\${SERVICE_RESULT:-unknown} \${EXIT_CODE:-none} \${EXIT_STATUS:-none} \${system:-unknown}"
  until echo "$line" 1<>"$dir/started/result" && sync "$dir/started/result" && mv "$dir/started/result" "$dir/result"; do
    [ -d "$dir" ] || exit 0
    sleep 1
  done
  sync "$dir"
  ;;
esac
`;

/** Names that some shells don't let anybody set. */
const shellsOwn = new Set(["BASHOPTS", "BASH_VERSINFO", "EUID", "PPID", "SHELLOPTS", "UID"]);
/** Linux refuses a single argument or variable that is longer, with its final zero. */
const maxStringBytes = 128 * 1024 - 1;
const maxCommandBytes = 1536 * 1024;

/**
 * What the unit's shell reads from its standard input: the environment, then the command in place of the shell. Variables
 * that no shell can hold are left out. Throws, as starting a process does, on what no host could start: E2BIG, ERR_INVALID_ARG_VALUE.
 */
export function commandScript(command: readonly string[], env: Readonly<Record<string, string>>): string {
  const variables = Object.entries(env).filter(([name]) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) && !shellsOwn.has(name));
  const strings = [...command, ...variables.map(([name, value]) => `${name}=${value}`)];
  if (strings.some((text) => text.includes("\0"))) {
    throw withCode("a command and its environment must not contain null bytes", "ERR_INVALID_ARG_VALUE");
  }
  const lengths = strings.map((text) => Buffer.byteLength(text));
  const total = lengths.reduce((sum, length) => sum + length + 1, 0);
  if (total > maxCommandBytes || lengths.some((length) => length > maxStringBytes)) {
    throw withCode("E2BIG: the command or its environment is too long", "E2BIG");
  }
  const exports = variables.map(([name, value]) => `export ${name}=${quoted(value)}\n`);
  return `${exports.join("")}exec ${command.map(quoted).join(" ")} </dev/null\n`;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function withCode(message: string, code: string): Error {
  return Object.assign(new Error(message), { code });
}
