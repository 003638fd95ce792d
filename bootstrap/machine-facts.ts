/** What a machine says of itself, read off the output of one command. */
import { z } from "zod";
import type { Machine } from "../agent/contract/machine.ts";
import { parseFacts } from "./commands/facts.ts";
import { type HttpProxy, httpProxyOf } from "./http-proxy.ts";

/** Facts of the machine that later phases decide by. */
export interface MachineFacts {
  /** "" on a host; the directory that stands for its file system on a local machine. */
  readonly root: string;
  readonly os: string;
  /** As its makers call it: Debian GNU/Linux 12 (bookworm). */
  readonly osName: string;
  /** x64, arm64, or as `uname -m` says. */
  readonly arch: string;
  readonly libc: { readonly kind: "glibc" | "musl" | "unknown"; readonly version: string };
  /** What its user may do: everything, everything by sudo without a password or with the one that is known, or not that. */
  readonly rights: "root" | "sudo" | "sudo-password" | "no-sudo" | "none";
  /** systemd's version where it is the init. */
  readonly systemd?: number;
  /** OpenRC's version where that starts the services. */
  readonly openrc?: string;
  /** The name of process 1. */
  readonly init?: string;
  /** Which control groups its kernel shows. */
  readonly cgroup?: "v1" | "v2" | "hybrid";
  /** Absent where SELinux is off. */
  readonly selinux?: "enforcing" | "permissive";
  readonly proxy?: HttpProxy;
  /** Mounts of block devices, in MiB. */
  readonly disks?: readonly { readonly path: string; readonly sizeMiB: number; readonly freeMiB: number }[];
  /** By the names that their driver gives them. */
  readonly gpus?: readonly string[];
  readonly diskFreeMiB: number;
  /** Undefined where it does not tell. */
  readonly memoryMiB?: number;
  /** How far its clock is ahead of ours (behind: negative), as far as the time of the answer tells. */
  readonly clockSkewMs: number;
  readonly missingTools: readonly string[];
  /** It can unpack zstd. */
  readonly zstd?: true;
  /** The host key that it was born with still counts. */
  readonly hasSeed?: true;
  /** The machine's command that prints a SHA-256, as words. */
  readonly sha256: readonly string[];
  /** The environment that has Spillway on it. */
  readonly identity?: MachineIdentity;
}

/** Whether SELinux goes by the labels of what is written there. */
export function wantsLabels({ root, selinux }: Pick<MachineFacts, "root" | "selinux">): boolean {
  return root === "" && selinux !== undefined;
}

/** Whose a machine is, written on it by the bootstrap. */
export const machineIdentity = z.object({
  environmentId: z.string(),
  environment: z.string(),
  machine: z.string(),
  burst: z.string().optional().describe("the burst that took it"),
});
export type MachineIdentity = z.infer<typeof machineIdentity>;

/** The identity that a machine of an environment is to bear; undefined where the environment's id is not known. */
export function identityFor(
  machine: Pick<Machine, "name" | "burst">,
  { environmentId, environment }: { readonly environmentId: string | undefined; readonly environment: string },
): MachineIdentity | undefined {
  if (environmentId === undefined) return undefined;
  const { name, burst } = machine;
  return { environmentId, environment, machine: name, ...(burst === undefined ? {} : { burst }) };
}

/** Whether both say the same machine of the same environment and burst; an environment's name is for people. */
export function isSameIdentity(one: MachineIdentity, other: MachineIdentity): boolean {
  return one.environmentId === other.environmentId && one.machine === other.machine && one.burst === other.burst;
}

const archNames: Record<string, string> = { x86_64: "x64", amd64: "x64", aarch64: "arm64", arm64: "arm64" };

/**
 * Undefined when the answer is not one of a POSIX shell.
 * @param asked when the question was sent, ms since the epoch
 * @param answered when the answer was there
 */
export function machineFacts(text: string, asked: number, answered: number): MachineFacts | undefined {
  const found = parseFacts(text);
  const one = (key: string) => found.get(key)?.[0] ?? "";
  if (one("os") === "") return undefined;
  const identity = identityIn(one("identity"));
  const systemd = Number.parseInt(one("systemd"), 10);
  const memoryMiB = Math.floor(Number(one("memoryKiB")) / 1024);
  return {
    root: one("root"),
    os: one("os").toLowerCase(),
    osName: one("osName"),
    arch: archNames[one("arch")] ?? one("arch"),
    libc: libcOf(one("libc")),
    rights: rightsOf(one("rights")),
    ...(Number.isNaN(systemd) ? {} : { systemd }),
    ...(found.has("openrc") ? { openrc: one("openrc") } : {}),
    ...(one("init") === "" ? {} : { init: one("init") }),
    ...cgroupOf(one("cgroup")),
    ...selinuxOf(one("selinux")),
    ...optional("proxy", httpProxyOf(found.get("proxy") ?? [])),
    ...disksOf(found.get("disk") ?? []),
    ...optional("gpus", found.get("gpu")),
    diskFreeMiB: Math.floor(Number(one("diskFreeKiB")) / 1024),
    ...(memoryMiB === 0 ? {} : { memoryMiB }),
    clockSkewMs: clockSkew(one("time"), asked, answered),
    ...(found.has("zstd") ? { zstd: true as const } : {}),
    ...(found.has("seed") ? { hasSeed: true as const } : {}),
    missingTools: found.get("missing") ?? [],
    sha256: one("sha256")
      .split(" ")
      .filter((word) => word !== ""),
    ...(identity === undefined ? {} : { identity }),
  };
}

function optional<K extends string, V>(key: K, value: V | undefined): { [key in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [key in K]: V });
}

function cgroupOf(text: string): Pick<MachineFacts, "cgroup"> {
  return text === "v1" || text === "v2" || text === "hybrid" ? { cgroup: text } : {};
}

function selinuxOf(text: string): Pick<MachineFacts, "selinux"> {
  return text === "enforcing" || text === "permissive" ? { selinux: text } : {};
}

/** Of lines `<KiB> <KiB free> <path>`. */
function disksOf(lines: readonly string[]): Pick<MachineFacts, "disks"> {
  const disks = lines.flatMap((line) => {
    const [, size = "", free = "", path = ""] = /^(\d+) (\d+) (\/.*)$/.exec(line) ?? [];
    return path === "" ? [] : [{ path, sizeMiB: Math.floor(Number(size) / 1024), freeMiB: Math.floor(Number(free) / 1024) }];
  });
  return disks.length === 0 ? {} : { disks };
}

/** Zero when its time lies between our question and our answer; else the distance to the nearer of the two. */
function clockSkew(time: string, asked: number, answered: number): number {
  const [seconds = "", fraction = ""] = time.split(".");
  const isFine = /^\d{9}$/.test(fraction);
  const host = Number(seconds) * 1000 + (isFine ? Math.floor(Number(fraction) / 1e6) : 0);
  if (!Number.isFinite(host) || seconds === "") return 0;
  // A clock that tells whole seconds only may be anywhere within that second.
  const latest = isFine ? host : host + 999;
  if (latest < asked) return latest - asked;
  return host > answered ? host - answered : 0;
}

/** What a strange answer says is not believed. */
function rightsOf(text: string): MachineFacts["rights"] {
  return text === "root" || text === "sudo" || text === "no-sudo" ? text : "none";
}

function libcOf(text: string): MachineFacts["libc"] {
  const version = /^glibc (\S+)$/.exec(text)?.[1];
  if (version !== undefined) return { kind: "glibc", version };
  return { kind: text === "musl" ? "musl" : "unknown", version: "" };
}

function identityIn(text: string): MachineIdentity | undefined {
  if (text === "") return undefined;
  try {
    return machineIdentity.parse(JSON.parse(text));
  } catch {
    // Torn by a power cut while it was written for the first time: nobody's yet.
    return undefined;
  }
}
