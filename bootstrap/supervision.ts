/** Who keeps a role running on a machine: systemd where it is the init, OpenRC where that starts the services, else the bundle's supervisor alone. */
import type { AgentConfig } from "../agent/contract/agent-config.ts";
import type { AgentRole, InstallLayout } from "../agent/contract/install-layout.ts";
import { openrcSupervision } from "./commands/openrc.ts";
import { shellSupervision } from "./commands/shell-supervisor.ts";
import { systemdSupervision } from "./commands/systemd-unit.ts";
import type { InstalledFile } from "./context.ts";
import type { MachineFacts } from "./machine-facts.ts";

/** Commands as argv. */
export interface Supervision {
  /** How the agent runs tasks there. */
  readonly executor: "systemd" | "process";
  /** The user ids that tasks run by, one each, where the agent is root and has to see to that itself. */
  readonly taskUsers?: NonNullable<AgentConfig["taskUsers"]>;
  /** What it needs on the machine beside the role's own files. */
  readonly files: (layout: InstallLayout, role: AgentRole) => readonly InstalledFile[];
  /** Prints `supervised` when the role is kept running. */
  readonly readSupervised: (layout: InstallLayout, role: AgentRole) => string[];
  /**
   * Prints `outdated` when what the role was started from has changed since: a former run wrote it and died before it could
   * start the role anew.
   */
  readonly readOutdated: (layout: InstallLayout, role: AgentRole) => string[];
  /** Starts the role detached; it outlives this connection and is restarted when it fails. */
  readonly startRole: (layout: InstallLayout, role: AgentRole) => string[];
  /** Ends the role and what restarts it; tasks go on. */
  readonly stopRole: (layout: InstallLayout, role: AgentRole) => string[];
  /** The role's last log lines. */
  readonly readRoleLog: (layout: InstallLayout, role: AgentRole) => string[];
  /** Where a person finds the whole log. */
  readonly logPlace: (layout: InstallLayout, role: AgentRole) => string;
  /** Prints a line for each task that runs. */
  readonly readRunningTasks: (layout: InstallLayout) => string[];
  /** TERM to every process of every task, KILL after a while. */
  readonly stopTasks: (layout: InstallLayout) => string[];
  /** Takes the stopped role away from whoever keeps it running; the role's other files are still there. */
  readonly forgetRole: (layout: InstallLayout, role: AgentRole) => string[];
}

export function supervisionOf({ root, systemd, openrc }: Pick<MachineFacts, "root" | "systemd" | "openrc">): Supervision {
  if (root !== "") return shellSupervision;
  if (systemd !== undefined) return systemdSupervision;
  return openrc === undefined ? shellSupervision : openrcSupervision;
}
