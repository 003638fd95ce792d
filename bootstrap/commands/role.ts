/** Starting, stopping and removing a role (agent or master) under the supervisor that comes in the bundle. */
import type { AgentRole, InstallLayout } from "../../agent/contract/install-layout.ts";
import { script } from "./shell.ts";

/** True in the shell when the process whose id is in file $1 has $2 in its command line; a reused id is never taken for it. */
const runsFunction = `
runs() {
  pid=$(cat "$1" 2>/dev/null) || return 1
  [ -n "$pid" ] || return 1
  if [ -d /proc/self ]; then line=$(tr '\\0' ' ' < "/proc/$pid/cmdline" 2>/dev/null); else line=$(ps -o command= -p "$pid" 2>/dev/null); fi
  case $line in *"$2"*) return 0;; esac
  return 1
}
end() {
  runs "$1" "$2" || return 0
  kill -TERM "$pid" 2>/dev/null
  i=0
  while runs "$1" "$2" && [ $i -lt 100 ]; do sleep 0.1; i=$((i+1)); done
  if runs "$1" "$2"; then kill -KILL "$pid" 2>/dev/null; fi
  return 0
}`;

/** Joins by the token on stdin; an older certificate is replaced. */
export function joinNode(layout: InstallLayout): string[] {
  const current = layout.current("agent");
  return [`${current}/bin/node`, `${current}/agent.js`, "join", "--force", "--config", layout.config("agent")];
}

/** Prints `supervised` when the role's supervisor is alive. */
export function readSupervised(layout: InstallLayout, role: AgentRole): string[] {
  const state = layout.state(role);
  return script(`${runsFunction}\nif runs "$1/supervisor.pid" "$1"; then echo supervised; fi`, state);
}

/** V8's lite mode keeps an agent at 63 MiB where it would grow to 79 after a hundred tasks; the master has work for the optimiser. */
const nodeFlags: Record<AgentRole, readonly string[]> = { agent: ["--lite-mode"], master: [] };

/** Starts the role detached; it outlives this connection and is restarted when it fails. */
export function startRole(layout: InstallLayout, role: AgentRole): string[] {
  const current = layout.current(role);
  return script(
    `
set -e
umask 077
mkdir -p "$1" "$(dirname "$2")"
log=$2 supervise=$3/supervise.sh state=$1; shift 3
nohup sh "$supervise" "$state" -- "$@" >> "$log" 2>&1 < /dev/null &`,
    layout.state(role),
    layout.logFile(role),
    current,
    `${current}/bin/node`,
    ...nodeFlags[role],
    `${current}/agent.js`,
    role,
    "--config",
    layout.config(role),
  );
}

/** Ends the role and its supervisor; tasks go on. */
export function stopRole(layout: InstallLayout, role: AgentRole): string[] {
  const state = layout.state(role);
  return script(`${runsFunction}\nend "$1/supervisor.pid" "$1"; end "$1/role.pid" "$2"`, state, layout.config(role));
}

/** The role's last log lines. */
export function readRoleLog(layout: InstallLayout, role: AgentRole): string[] {
  return ["tail", "-n", "5", layout.logFile(role)];
}

/** Everything on the machine that belongs to this role alone. */
function filesOf(layout: InstallLayout, role: AgentRole): string[] {
  const files = [layout.config(role), layout.state(role), layout.logFile(role), layout.current(role)];
  return role === "master" ? [...files, layout.intermediateCertFile, layout.intermediateKeyFile] : files;
}

/** Prints `installed` when anything of Spillway is on the machine. */
export function readInstalled(layout: InstallLayout, role: AgentRole): string[] {
  return script(
    `for path do if [ -e "$path" ] || [ -L "$path" ]; then echo installed; break; fi; done`,
    ...filesOf(layout, role),
    ...layout.owned,
  );
}

/** Deletes the role's files and every bundle that no other role points at; where no other role is, all our directories. */
export function uninstallRole(layout: InstallLayout, role: AgentRole): string[] {
  const other: AgentRole = role === "agent" ? "master" : "agent";
  return script(
    `
set -e
other=$1 bundles=$2 config=$3; shift 3
if [ ! -L "$other" ] && [ ! -e "$config" ]; then for path do if [ "$path" != -- ]; then rm -rf "$path"; fi; done; exit 0; fi
while [ "$1" != -- ]; do rm -rf "$1" "$1.new"; shift; done
keep=$(readlink "$other" || :)
for bundle in "$bundles"/*; do if [ "$bundle" != "$keep" ]; then rm -rf "$bundle"; fi; done`,
    layout.current(other),
    layout.bundles,
    layout.config(other),
    ...filesOf(layout, role),
    "--",
    ...layout.owned,
  );
}

/** Prints the directory of each task whose supervisor is alive, a line each. */
export function readRunningTasks(layout: InstallLayout): string[] {
  return script(
    `${runsFunction}\nfor task in "$1"/tasks/*; do if runs "$task/started/pid" "$task"; then echo "$task"; fi; done`,
    layout.state("agent"),
  );
}

/** Sends TERM to the process group of every running task, waits up to 5 s, then KILL. */
export function stopTasks(layout: InstallLayout): string[] {
  return script(
    `${runsFunction}
each() { for task in "$1"/tasks/*; do if runs "$task/started/pid" "$task"; then kill "-$2" "-$pid" 2>/dev/null; left=1; fi; done; }
left=; each "$1" TERM; i=0
while [ -n "$left" ] && [ $i -lt 50 ]; do sleep 0.1; i=$((i+1)); left=; each "$1" 0; done
each "$1" KILL
exit 0`,
    layout.state("agent"),
  );
}
