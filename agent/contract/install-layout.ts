/** Where everything lives on a machine. Bootstrap writes it, the agent and the master read it; one place says the paths. */

export type AgentRole = "agent" | "master";
export type InstallLayout = ReturnType<typeof installLayout>;

/** The systemd unit of a role. */
export function unitOf(role: AgentRole): string {
  return `spillway-${role}.service`;
}

/** The slice of all tasks' units: `systemd-cgls /spillway.slice` shows what runs. */
export const taskSlice = "spillway.slice";

/** A task's transient unit. Its id holds only what unit names may hold; it needs no escaping, and is read as it is. */
export function taskUnitOf(taskId: string): string {
  return `spillway-task-${taskId}.service`;
}

/** Every task's unit, as a pattern of systemctl. */
export const taskUnits = taskUnitOf("*");

/**
 * The paths of an installation. `root` is "" on a host and the machine's own directory on a local machine.
 * Every directory in `owned` belongs to Spillway alone and is deleted by removal.
 */
export function installLayout(root: string) {
  const opt = `${root}/opt/spillway`;
  const etc = `${root}/etc/spillway`;
  const lib = `${root}/var/lib/spillway`;
  const log = `${root}/var/log/spillway`;
  return {
    owned: [opt, etc, lib, log],
    /** Programs, and what is being brought. */
    opt,
    bundles: `${opt}/bundles`,
    /** The unpacked bundle: agent.js, supervise.sh, task-supervisor.sh, bin/node. */
    bundle: (digest: string) => `${opt}/bundles/${digest}`,
    /** A symlink to the bundle this role runs. */
    current: (role: AgentRole) => `${opt}/${role}`,
    /** A symlink to the bundle this role ran before: the slot it can go back to. */
    before: (role: AgentRole) => `${opt}/${role}.before`,
    /** What the role's files outside `owned` held when that slot was left, each below its own path. */
    filesBefore: (role: AgentRole) => `${opt}/${role}.files`,
    /** There while a role tries a bundle: what it came from, and which tasks it has to take over. */
    trial: (role: AgentRole) => `${opt}/${role}.trial`,
    /** On a machine that joins by itself: the script, what it is to do and its token, until it is done. */
    join: `${opt}/join`,
    /** Whose machine this is: readable by root, found again when the operator's side lost its records. */
    identityFile: `${etc}/identity.json`,
    config: (role: AgentRole) => `${etc}/${role}.json`,
    caFile: `${etc}/ca.pem`,
    intermediateCertFile: `${etc}/intermediate.pem`,
    /** On the master's machine only, 0600. */
    intermediateKeyFile: `${etc}/intermediate-key.pem`,
    state: (role: AgentRole) => `${lib}/${role}`,
    /** On hosts with systemd. */
    unitFile: (role: AgentRole) => `${root}/etc/systemd/system/${unitOf(role)}`,
    logFile: (role: AgentRole) => `${log}/${role}.log`,
  };
}
