/** What a task may see and do on its host, as properties of its unit. Pure. */

export interface SandboxOptions {
  /** The task's own directory: all it may write, besides its private /tmp and /var/tmp. */
  readonly work: string;
  /** Directories no task may look into. */
  readonly hidden: readonly string[];
  /** Whether it needs the host's devices (GPUs). */
  readonly devices: boolean;
}

/** A user that exists while the task runs, no rights, a read-only host, and nothing of Spillway's but the work directory. */
export function taskUnitSandbox({ work, hidden, devices }: SandboxOptions): string[] {
  // A directory that holds the task's own is covered by an empty one, in which then only the task's own appears.
  const covered = hidden.filter((path) => work.startsWith(`${path}/`));
  const outermost = covered.filter((path) => !covered.some((other) => path.startsWith(`${other}/`)));
  const closed = hidden.filter((path) => !covered.includes(path));
  return [
    // Implies ProtectSystem=strict, ProtectHome=read-only, PrivateTmp, NoNewPrivileges, RemoveIPC and RestrictSUIDSGID;
    // those that matter most are said again, should that ever change.
    "DynamicUser=yes",
    "NoNewPrivileges=yes",
    "PrivateTmp=yes",
    "ProtectSystem=strict",
    "CapabilityBoundingSet=",
    ...outermost.map((path) => `TemporaryFileSystem=${path}:ro`),
    `BindPaths=${work}`,
    ...closed.map((path) => `InaccessiblePaths=-${path}`),
    ...(devices ? [] : ["PrivateDevices=yes"]),
    "ProtectClock=yes",
    "ProtectControlGroups=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectProc=invisible", // of other users' processes it sees nothing
    "LockPersonality=yes",
    "RestrictRealtime=yes",
  ];
}
