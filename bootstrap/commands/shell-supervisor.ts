/** Roles and tasks under the POSIX sh supervisors of the bundle, for machines that are directories; OpenRC's are built on it. */
import type { AgentRole, InstallLayout } from "../../agent/contract/install-layout.ts";
import type { Supervision } from "../supervision.ts";
import { roleCommand, roleSources } from "./role.ts";
import { script } from "./shell.ts";

/**
 * Functions of a shell. `runs FILE WORDS` is true when the process whose id is in the file has these words in its command line;
 * a reused id is never taken for it. `end FILE WORDS` ends it: TERM, and KILL after 10 s. `endSupervisors CURRENT` ends what
 * a killed supervisor of this role has left of itself.
 */
export const endFunctions = `
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
}
endSupervisors() {
  for file in $(grep -lsF -- "$1/supervise.sh" /proc/[0-9]*/cmdline 2>/dev/null); do pid=\${file#/proc/}; kill -TERM "\${pid%/cmdline}" 2>/dev/null; done
  return 0
}`;

export const shellSupervision: Supervision = {
  executor: "process",
  files: () => [],

  readSupervised: (layout, role) =>
    script(`${endFunctions}\nif runs "$1/supervisor.pid" "$1"; then echo supervised; fi`, layout.state(role)),

  startRole: (layout, role) =>
    script(
      `
set -e
umask 077
mkdir -p "$1" "$(dirname "$2")"
log=$2 supervise=$3/supervise.sh state=$1; shift 3
unset LC_ALL
SPILLWAY_ROLE_LOG=$log; export SPILLWAY_ROLE_LOG
nohup sh "$supervise" "$state" -- "$@" >> "$log" 2>&1 < /dev/null &`,
      layout.state(role),
      layout.logFile(role),
      layout.current(role),
      ...roleCommand(layout, role),
    ),

  stopRole: (layout, role) =>
    script(
      `${endFunctions}\nend "$1/supervisor.pid" "$1"; end "$1/role.pid" "$2"; endSupervisors "$3"`,
      layout.state(role),
      layout.config(role),
      layout.current(role),
    ),

  // The older half of its log is the supervisor's own doing, so it goes with it.
  forgetRole: (layout, role) => ["rm", "-f", `${layout.state(role)}/supervisor.pid`, `${layout.logFile(role)}.1`],

  readOutdated: (layout, role) => outdatedSince(layout, role, []),

  readRoleLog: (layout, role) => script(`{ tail -n 5 "$1.1"; tail -n 5 "$1"; } 2>/dev/null | tail -n 5`, layout.logFile(role)),
  logPlace: (layout, role) => layout.logFile(role),

  readRunningTasks: (layout) =>
    script(
      `${endFunctions}\nfor task in "$1"/tasks/*; do if runs "$task/started/pid" "$task"; then echo "$task"; fi; done`,
      layout.state("agent"),
    ),

  stopTasks: (layout) =>
    script(
      `${endFunctions}
each() { for task in "$1"/tasks/*; do if runs "$task/started/pid" "$task"; then kill "-$2" "-$pid" 2>/dev/null; left=1; fi; done; }
left=; each "$1" TERM; i=0
while [ -n "$left" ] && [ $i -lt 50 ]; do sleep 0.1; i=$((i+1)); left=; each "$1" 0; done
each "$1" KILL
exit 0`,
      layout.state("agent"),
    ),
};

/** Whether anything the role was started from is newer than its process, also of `more` files. */
export function outdatedSince(layout: InstallLayout, role: AgentRole, more: readonly string[]): string[] {
  return script(
    `pid=$1; shift; if [ -e "$pid" ] && [ -n "$(find "$@" -prune -newer "$pid" 2>/dev/null)" ]; then echo outdated; fi`,
    `${layout.state(role)}/role.pid`,
    ...more,
    ...roleSources(layout, role),
  );
}
