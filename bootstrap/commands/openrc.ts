/** Roles as services of OpenRC: our supervisor keeps them running, OpenRC starts it at boot. Tasks are processes of their own, as on every machine without systemd. */
import type { AgentRole, InstallLayout } from "../../agent/contract/install-layout.ts";
import type { Supervision } from "../supervision.ts";
import { roleCommand } from "./role.ts";
import { commandLine, script } from "./shell.ts";
import { endFunctions, outdatedSince, shellSupervision } from "./shell-supervisor.ts";

/** The service of a role. */
export function openrcServiceOf(role: AgentRole): string {
  return `spillway-${role}`;
}

/** Where it stands for OpenRC. */
export function initScriptOf(role: AgentRole): string {
  return `/etc/init.d/${openrcServiceOf(role)}`;
}

/** Where a login that is not root's may not look for them. */
const withSystemPrograms = `PATH=$PATH:/usr/sbin:/sbin; export PATH; unset LC_ALL`;

export const openrcSupervision: Supervision = {
  ...shellSupervision,
  // Users that exist for one task each. No package hands out these ids: they are systemd's for the same purpose.
  taskUsers: { first: 61_184, last: 65_519 },
  files: (layout, role) => [{ path: initScriptOf(role), content: initScript(layout, role), mode: "755" }],

  readSupervised: (layout, role) =>
    script(
      `${endFunctions}\nif [ -e "/etc/runlevels/default/$2" ] && runs "$1/supervisor.pid" "$1"; then echo supervised; fi`,
      layout.state(role),
      openrcServiceOf(role),
    ),

  startRole: (layout, role) =>
    script(
      `
set -e
${withSystemPrograms}
(umask 077; mkdir -p "$2" "$(dirname "$3")")
rc-update --quiet add "$1" default
# What it knows of a service whose supervisor was killed is that it crashed: that is put aside first.
rc-service --quiet "$1" zap >/dev/null 2>&1 || :
rc-service --quiet "$1" start </dev/null`,
      openrcServiceOf(role),
      layout.state(role),
      layout.logFile(role),
    ),

  stopRole: (layout, role) =>
    script(
      `${endFunctions}
${withSystemPrograms}
if [ -e "$3" ]; then
  rc-update --quiet delete "$4" default >/dev/null 2>&1
  rc-service --quiet "$4" stop </dev/null >/dev/null 2>&1
fi
end "$1/supervisor.pid" "$1"; end "$1/role.pid" "$2"; endSupervisors "$5"`,
      layout.state(role),
      layout.config(role),
      initScriptOf(role),
      openrcServiceOf(role),
      layout.current(role),
    ),

  forgetRole: (layout, role) =>
    script(
      `
${withSystemPrograms}
if [ -e "$1" ]; then
  rc-update --quiet --all delete "$2" >/dev/null 2>&1
  rc-service --quiet "$2" zap >/dev/null 2>&1
fi
rm -f "$1" "$1.new" "/etc/runlevels/default/$2" "$3/supervisor.pid" "$4.1"
rc-update --update >/dev/null 2>&1
exit 0`,
      initScriptOf(role),
      openrcServiceOf(role),
      layout.state(role),
      layout.logFile(role),
    ),

  readOutdated: (layout, role) => outdatedSince(layout, role, [initScriptOf(role)]),
};

/**
 * The script by which OpenRC starts a role at boot and ends it when the host goes down. It starts and ends our supervisor
 * itself: `start-stop-daemon` is another program with other options on each distribution (Debian's is dpkg's). Tasks are not
 * ended with the agent, whatever the host's rc.conf says of other services.
 */
export function initScript(layout: InstallLayout, role: AgentRole): string {
  const description = { agent: "Spillway agent: runs this node's tasks", master: "Spillway master: holds the pool" }[role];
  return `#!/sbin/openrc-run
description="${description}"
state=${layout.state(role)}
log=${layout.logFile(role)}
rc_cgroup_cleanup=no

depend() {
  use net dns logger
  after firewall
}

supervised() {
  pid=$(cat "$state/supervisor.pid" 2>/dev/null) && [ -n "$pid" ] && tr '\\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -q " $state -- "
}

start() {
  ebegin "Starting the Spillway ${role}"
  (umask 077; mkdir -p "$state" "\${log%/*}")
  (
    umask 077
    ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -H -n)"
    # Nothing of OpenRC's own environment: its PATH would be every task's.
    env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 SPILLWAY_ROLE_LOG="$log" nohup sh ${commandLine([`${layout.current(role)}/supervise.sh`, layout.state(role), "--", ...roleCommand(layout, role)])} >>"$log" 2>&1 </dev/null &
  )
  eend $?
}

stop() {
  ebegin "Stopping the Spillway ${role}"
  tries=250
  ! supervised || kill -TERM "$pid" 2>/dev/null
  while supervised && [ "$tries" -gt 0 ]; do sleep 0.1; tries=$((tries - 1)); done
  ! supervised
  eend $?
}

status() {
  if supervised; then einfo "status: started"; return 0; fi
  einfo "status: stopped"
  return 3
}
`;
}
