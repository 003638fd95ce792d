/** What a test can do with a machine of the lab, be it a container or a virtual machine. */
import type { InitKind } from "./host-init.ts";
import type { ProgramResult } from "./run-program.ts";

export interface ExecOptions {
  readonly input?: string | Buffer;
  /** 2 min when not given. */
  readonly timeoutMs?: number;
}

export interface LabHost {
  readonly name: string;
  readonly site: string;
  /** Reached from this machine and from every site. */
  readonly address: string;
  readonly sshPort: 22;
  /** `SHA256:…` of its only (ed25519) host key. */
  readonly hostKey: string;
  /** The same key as `ssh-ed25519 AAAA…`. */
  readonly hostPublicKey: string;
  /** Private key that `root` and `ops` let in (0600); the public key stands beside it as `.pub`. The same for the whole lab. */
  readonly keyFile: string;
  isOn(): boolean;
  /** Of the present boot. */
  bootId(): Promise<string>;
  /** As root, inside: argv, or a script for `sh`. Not over the network where the host is a container. */
  exec(command: readonly string[] | string, options?: ExecOptions): Promise<ProgramResult>;
  /** The same, for commands that must succeed: their standard output, or an error with what they said. */
  read(command: readonly string[] | string, options?: ExecOptions): Promise<string>;
  /** `hard`: the power goes, every process is gone at once. Else an orderly shutdown. The disk stays in both cases. */
  powerOff(how: { readonly hard: boolean }): Promise<void>;
  /** Until SSH answers and its init has started everything. */
  powerOn(): Promise<void>;
  /** Orderly, as the command `reboot`; until it is up again. */
  reboot(): Promise<void>;
}

export interface HostFile {
  readonly path: string;
  readonly content: string | Buffer;
  /** 0o644 when not given. */
  readonly mode?: number;
  /** Name in the host's /etc/passwd; root when not given. */
  readonly owner?: string;
}

export interface HostOptions {
  /** `h1`, `h2` … when not given. Letters, digits and dashes; at most 11, or the kernel's links get other names. */
  readonly name?: string;
  /** The lab's first site when not given. */
  readonly site?: string;
  /** Size of the disk for all the host writes, kept in memory: full is full. This machine's disk when not given. */
  readonly diskMiB?: number;
  /** Whether `ops` has passwordless sudo; true when not given. */
  readonly sudo?: boolean;
  /** `openrc`: sysvinit and OpenRC in place of systemd, of which nothing is there; systemd when not given. */
  readonly init?: InitKind;
  /** `musl`: looks like Alpine to whoever asks for the loader, `ldd` or /etc/os-release. */
  readonly libc?: "glibc" | "musl";
  /** Directories or files of this machine, read-only inside. */
  readonly binds?: readonly { readonly source: string; readonly target: string }[];
  readonly files?: readonly HostFile[];
  /** Lines of /etc/hosts: name → address. */
  readonly hostsTable?: Readonly<Record<string, string>>;
}

/** `read` of a host, made of its `exec`. */
export function outputOfExec(name: string, exec: LabHost["exec"]): LabHost["read"] {
  return async (command, options = {}) => {
    const { code, stdout, stderr } = await exec(command, options);
    if (code === 0) return stdout;
    const line = typeof command === "string" ? command : command.join(" ");
    throw new Error(`${name}: ${line}: exit code ${code}: ${(stderr.trim() || stdout.trim()).slice(-2000)}`);
  };
}
