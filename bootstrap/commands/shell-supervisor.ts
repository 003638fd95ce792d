/** Roles and tasks under the POSIX sh supervisors of the bundle, for machines without systemd. */
import type { Supervision } from "../supervision.ts";
import { roleCommand, roleSources } from "./role.ts";
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

export const shellSupervision: Supervision = {
  executor: "process",
  files: () => [],

  readSupervised: (layout, role) =>
    script(`${runsFunction}\nif runs "$1/supervisor.pid" "$1"; then echo supervised; fi`, layout.state(role)),

  startRole: (layout, role) =>
    script(
      `
set -e
umask 077
mkdir -p "$1" "$(dirname "$2")"
log=$2 supervise=$3/supervise.sh state=$1; shift 3
unset LC_ALL
nohup sh "$supervise" "$state" -- "$@" >> "$log" 2>&1 < /dev/null &`,
      layout.state(role),
      layout.logFile(role),
      layout.current(role),
      ...roleCommand(layout, role),
    ),

  stopRole: (layout, role) =>
    script(`${runsFunction}\nend "$1/supervisor.pid" "$1"; end "$1/role.pid" "$2"`, layout.state(role), layout.config(role)),

  forgetRole: (layout, role) => ["rm", "-f", `${layout.state(role)}/supervisor.pid`],

  readOutdated: (layout, role) =>
    script(
      `pid=$1; shift; if [ -e "$pid" ] && [ -n "$(find "$@" -prune -newer "$pid" 2>/dev/null)" ]; then echo outdated; fi`,
      `${layout.state(role)}/role.pid`,
      ...roleSources(layout, role),
    ),

  readRoleLog: (layout, role) => ["tail", "-n", "5", layout.logFile(role)],
  logPlace: (layout, role) => layout.logFile(role),

  readRunningTasks: (layout) =>
    script(
      `${runsFunction}\nfor task in "$1"/tasks/*; do if runs "$task/started/pid" "$task"; then echo "$task"; fi; done`,
      layout.state("agent"),
    ),

  stopTasks: (layout) =>
    script(
      `${runsFunction}
each() { for task in "$1"/tasks/*; do if runs "$task/started/pid" "$task"; then kill "-$2" "-$pid" 2>/dev/null; left=1; fi; done; }
left=; each "$1" TERM; i=0
while [ -n "$left" ] && [ $i -lt 50 ]; do sleep 0.1; i=$((i+1)); left=; each "$1" 0; done
each "$1" KILL
exit 0`,
      layout.state("agent"),
    ),
};
