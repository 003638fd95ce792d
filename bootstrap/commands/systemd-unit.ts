/** Roles as hardened systemd services, and tasks as the transient units that the agent makes. */
import { type AgentRole, type InstallLayout, taskSlice, taskUnits, unitOf } from "../../agent/contract/install-layout.ts";
import type { Supervision } from "../supervision.ts";
import { roleCommand, roleSources } from "./role.ts";
import { script } from "./shell.ts";

export const systemdSupervision: Supervision = {
  executor: "systemd",
  files: (layout, role) => [{ path: layout.unitFile(role), content: unitText(layout, role), mode: "644" }],

  readSupervised: readState,

  startRole: (layout, role) =>
    script(
      `
set -e
(umask 077; mkdir -p "$2")
# A reload costs a host ten times what all else here does, and systemd needs none for a unit that it has not read yet.
systemctl enable --quiet --no-reload "$1"
if [ "$(systemctl show --property=NeedDaemonReload "$1")" != NeedDaemonReload=no ]; then systemctl daemon-reload; fi
systemctl reset-failed "$1" 2>/dev/null || :
systemctl restart "$1"`,
      unitOf(role),
      layout.state(role),
    ),

  stopRole: (_layout, role) =>
    script(`systemctl disable --now --quiet "$1" 2>/dev/null || systemctl stop "$1" 2>/dev/null || :`, unitOf(role)),

  readOutdated: readState,

  readRoleLog: (_layout, role) => ["journalctl", "--no-pager", "--output=cat", "--lines=5", `--unit=${unitOf(role)}`],
  logPlace: (_layout, role) => `journalctl -u ${unitOf(role)}`,

  readRunningTasks: () => ["systemctl", "list-units", "--plain", "--no-legend", "--state=active,activating,deactivating", taskUnits],

  stopTasks: () =>
    script(
      `
systemctl kill --signal=TERM "$1" 2>/dev/null
i=0
while [ -n "$(systemctl list-units --plain --no-legend --state=active,activating,deactivating "$1")" ] && [ $i -lt 50 ]; do sleep 0.1; i=$((i+1)); done
systemctl kill --signal=KILL "$1" 2>/dev/null
systemctl stop "$1"
exit 0`,
      taskUnits,
    ),

  forgetRole: (layout, role) =>
    script(
      `
set -e
rm -f "$2" "$2.new"
systemctl daemon-reload
systemctl reset-failed "$1" 2>/dev/null || :
if [ -n "$3" ]; then systemctl stop "$3" 2>/dev/null || :; fi`,
      unitOf(role),
      layout.unitFile(role),
      role === "agent" ? taskSlice : "",
    ),
};

/** Both at once, since asking systemd is most of what it costs. */
function readState(layout: InstallLayout, role: AgentRole): string[] {
  return script(
    `
state=$(systemctl show --property=ActiveState --property=UnitFileState --property=ExecMainStartTimestamp "$1")
shift
case $state in *ActiveState=active*|*ActiveState=reloading*) ;; *) exit 0 ;; esac
case $state in *UnitFileState=enabled*) echo supervised ;; esac
since=\${state#*ExecMainStartTimestamp=}
since=$(date -d "\${since%%
*}" +%s 2>/dev/null) || exit 0
for changed in $(stat -c %Z "$@" 2>/dev/null); do if [ "$changed" -gt "$since" ]; then echo outdated; exit 0; fi; done
exit 0`,
    unitOf(role),
    layout.unitFile(role),
    ...roleSources(layout, role),
  );
}

/**
 * The unit of a role. It runs as root with what it needs and no more: the agent reads and ends what tasks of other users
 * leave, the master does neither. Their tasks are units of their own and inherit nothing of this.
 */
export function unitText(layout: InstallLayout, role: AgentRole): string {
  const description = { agent: "Spillway agent: runs this node's tasks", master: "Spillway master: holds the pool" }[role];
  const capabilities = {
    agent: "CAP_CHOWN CAP_DAC_OVERRIDE CAP_DAC_READ_SEARCH CAP_FOWNER CAP_KILL CAP_SYS_PTRACE",
    master: "CAP_NET_BIND_SERVICE",
  };
  return `[Unit]
Description=${description}
After=network.target
StartLimitIntervalSec=0

[Service]
Type=exec
ExecStart=${roleCommand(layout, role).join(" ")}
# It ends with 0 only when it has nothing more to do here.
Restart=always
RestartPreventExitStatus=0
RestartSec=500ms
KillMode=mixed
TimeoutStopSec=20
OOMScoreAdjust=-900
LimitNOFILE=65536
UMask=0077
CapabilityBoundingSet=${capabilities[role]}
NoNewPrivileges=yes
ProtectSystem=strict
ReadWritePaths=${layout.state(role)}
ProtectHome=yes
PrivateTmp=yes
ProtectClock=yes
ProtectHostname=yes
ProtectControlGroups=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native

[Install]
WantedBy=multi-user.target
`;
}
