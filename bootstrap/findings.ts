/** What speaks for and against a machine, before anything is changed on it; pure. */
import { addressOf } from "../agent/contract/endpoint.ts";
import { SpillwayError } from "../agent/contract/errors.ts";
import { formatMemory } from "../agent/contract/quantities.ts";
import { isBypassed } from "./http-proxy.ts";
import type { MachineFacts } from "./machine-facts.ts";

export interface Finding {
  /** What was looked at: processor, clock … */
  readonly name: string;
  readonly ok: boolean;
  /** What was found, as a clause for a person. */
  readonly found: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** What the machine is wanted for. */
export interface Expectations {
  /** Its user's name, for hints. */
  readonly user: string;
  /** The machine's own Node is linked, so that libc and processor do not matter. */
  readonly linked: boolean;
  /** The environment that wants it. */
  readonly environmentId?: string | undefined;
  /** A port to listen on, and whether it is taken by something else. */
  readonly port?: { readonly number: number; readonly inUse: boolean } | undefined;
  /** Where it must be able to dial, and the system's words when it can't; undefined words: it can. */
  readonly dials?: { readonly to: string; readonly isTunnelled?: boolean; readonly problem: string | undefined } | undefined;
}

/** The unpacked Node binary and bundle twice over (old and new side by side), with room for logs. */
export const neededDiskMiB = { uploaded: 600, linked: 64 };
/** An agent takes about 60 MiB and a master 100; below this nothing is left for tasks. */
export const neededMemoryMiB = 256;
/** Node 24's own floor (its BUILDING.md). */
export const oldestGlibc = "2.28";
/** The first that knows every property of a task's unit (systemd's NEWS, up to ProtectProc= in 247). */
export const oldestSystemd = 247;
const mostDisksTold = 8;
/** Certificates and leases are about time: from here on they would be refused. */
export const clockLimits = { warnMs: 1000, refuseMs: 30_000 };

/** The refusal of a machine that something speaks against, `what` it can't do in words; undefined when nothing does. */
export function refusalOf(
  findings: readonly Finding[],
  { what, where }: { readonly what: string; readonly where: string },
): SpillwayError | undefined {
  const problems = findings.filter(({ ok }) => !ok);
  if (problems.length === 0) return undefined;
  return new SpillwayError(`it can't ${what}: ${problems.map(({ found }) => found).join("; ")}`, {
    code: problems.some(({ name }) => name === "port") ? "port-in-use" : "preflight-failed",
    where,
    hint: [...problems.flatMap(({ hint }) => hint ?? []), "Nothing was changed on it; run it again when that is mended."].join("\n  "),
  });
}

/** Every finding, good and bad, in the order of a person's interest. */
export function findingsOf(facts: MachineFacts, expected: Expectations): Finding[] {
  return [
    ...ownership(facts, expected),
    ...platform(facts, expected.linked),
    ...(facts.root === "" && !expected.linked ? hostRights(facts, expected.user) : []),
    disk(facts, expected),
    ...memory(facts),
    clock(facts),
    tools(facts),
    ...(facts.root === "" && !expected.linked ? equipment(facts) : []),
    ...port(expected),
    ...proxy(facts, expected),
    ...reach(expected),
  ];
}

function ownership({ identity }: MachineFacts, { environmentId }: Expectations): Finding[] {
  if (identity === undefined || environmentId === undefined || identity.environmentId === environmentId) return [];
  const found = `it belongs to the environment "${identity.environment}" (${identity.environmentId}) as ${identity.machine}`;
  return [
    bad(
      "owner",
      found,
      `Destroy that environment first, or take the host out of these settings. If it is this very environment and its state was lost: spillway nodes adopt ${identity.environment}`,
    ),
  ];
}

function platform(facts: MachineFacts, linked: boolean): Finding[] {
  const system = facts.osName === "" ? facts.os : facts.osName;
  if (linked) {
    return facts.os === "linux" || facts.os === "darwin"
      ? [good("system", system)]
      : [bad("system", `its system is ${facts.os}; linux and darwin can take it`)];
  }
  const findings: Finding[] = [];
  if (facts.os === "linux") findings.push(good("system", system));
  else findings.push(bad("system", `its system is ${facts.os}; the bundle is for linux`));
  if (facts.arch === "x64" || facts.arch === "arm64") findings.push(good("processor", facts.arch));
  else findings.push(bad("processor", `its processor is ${facts.arch}; there are bundles for x64 and arm64`));
  findings.push(libc(facts));
  return findings;
}

function libc({ libc: found }: MachineFacts): Finding {
  const hint = "Use a distribution with glibc (Debian, Ubuntu, Fedora, RHEL, SUSE …).";
  if (found.kind === "musl") return bad("C library", "its C library is musl; the bundle's Node needs glibc", hint);
  if (found.kind === "unknown") return bad("C library", "its C library is not glibc, which the bundle's Node needs", hint);
  if (isOlder(found.version, oldestGlibc))
    return bad("C library", `its C library is glibc ${found.version}; the bundle's Node needs ${oldestGlibc}`, hint);
  return good("C library", `glibc ${found.version}`);
}

function hostRights(facts: MachineFacts, user: string): Finding[] {
  const rule = `Allow it there: echo '${user} ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/spillway, or write user: root, or where its password is (sudoPassword: ask)`;
  const rights: Record<MachineFacts["rights"], Finding> = {
    root: good("root rights", "logged in as root"),
    sudo: good("root rights", "by sudo, without a password"),
    "sudo-password": good("root rights", "by sudo, with its password"),
    none: bad("root rights", `its user ${user} may not use sudo without a password`, rule),
    "no-sudo": bad("root rights", `its user ${user} is not root, and there is no sudo`, "Install sudo there, or write user: root"),
  };
  return [rights[facts.rights], initOf(facts)];
}

function initOf({ systemd, openrc, init }: MachineFacts): Finding {
  if (systemd !== undefined && systemd < oldestSystemd)
    return bad("init", `its systemd is ${systemd}; ${oldestSystemd} or newer is needed`);
  if (systemd !== undefined) return good("init", `systemd ${systemd}`);
  // There tasks have no sandbox and no limits of the kernel, only users of their own.
  if (openrc !== undefined) return good("init", `OpenRC ${openrc}`.trim());
  const named = init === undefined ? "neither systemd nor OpenRC starts its services" : `its init is ${init}, without systemd or OpenRC`;
  return bad("init", `${named}, one of which is needed on a host`, "Install systemd or OpenRC there, and boot it with that.");
}

/** What is worth knowing of a host before tasks run there; nothing of it speaks against the host. */
function equipment({ cgroup, openrc, selinux, disks, gpus }: MachineFacts): Finding[] {
  return [
    ...(cgroup === undefined
      ? []
      : [good("control groups", cgroup === "hybrid" ? "version 1 and 2 (hybrid)" : `version ${cgroup.slice(1)}`)]),
    ...(openrc === undefined ? [] : [good("task limits", "accounted only: without systemd the kernel holds tasks to none")]),
    ...(selinux === undefined ? [] : [good("SELinux", `${selinux}; the bundle's labels are set by the host's policy`)]),
    ...(disks === undefined ? [] : [good("disks", disks.slice(0, mostDisksTold).map(diskText).join(", "))]),
    ...(gpus === undefined ? [] : [good("GPUs", countedText(gpus))]),
  ];
}

function diskText({ path, sizeMiB, freeMiB }: NonNullable<MachineFacts["disks"]>[number]): string {
  return `${path} ${formatMemory(freeMiB)} free of ${formatMemory(sizeMiB)}`;
}

/** `2 × NVIDIA A100, AMD`. */
function countedText(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts].map(([name, count]) => (count === 1 ? name : `${count} × ${name}`)).join(", ");
}

/** Agents dial the master themselves: a proxy in the host's environment neither helps them nor stands in their way. */
function proxy({ proxy: found }: MachineFacts, { dials }: Expectations): Finding[] {
  if (found === undefined) return [];
  const told = good("HTTP proxy", found.address);
  if (dials === undefined || dials.isTunnelled === true || isBypassed(found, addressOf(dials.to).host)) return [told];
  const hint = `Agents dial ${dials.to} directly, past that proxy; the way to the master must be open without it.`;
  return [{ ...told, hint }];
}

function disk({ diskFreeMiB, identity }: MachineFacts, { linked, environmentId }: Expectations): Finding {
  const needed = linked ? neededDiskMiB.linked : neededDiskMiB.uploaded;
  if (diskFreeMiB >= needed) return good("disk", `${diskFreeMiB} MiB free`);
  const words = `${diskFreeMiB} MiB free on its disk, ${needed} MiB needed`;
  const hint = "Free some space there (df -h /opt).";
  // A node that its tasks have filled goes on; only what is still to be unpacked needs room.
  const isInstalled = identity !== undefined && identity.environmentId === environmentId;
  return isInstalled ? { ...good("disk", words), hint } : bad("disk", words, hint);
}

function memory({ memoryMiB }: MachineFacts): Finding[] {
  if (memoryMiB === undefined) return [];
  if (memoryMiB >= neededMemoryMiB) return [good("memory", `${memoryMiB} MiB`)];
  return [bad("memory", `it has ${memoryMiB} MiB of memory, ${neededMemoryMiB} MiB are needed`)];
}

function clock({ clockSkewMs }: MachineFacts): Finding {
  const skew = Math.abs(clockSkewMs);
  const words = `its clock is ${(skew / 1000).toFixed(1)} s ${clockSkewMs > 0 ? "ahead of" : "behind"} this computer's`;
  const hint = "Set one of the two right, by a time service: timedatectl set-ntp true";
  if (skew >= clockLimits.refuseMs) return bad("clock", words, hint);
  return skew >= clockLimits.warnMs ? { ...good("clock", words), hint } : good("clock", "right");
}

function tools({ missingTools, sha256 }: MachineFacts): Finding {
  const missing = [...missingTools, ...(sha256.length === 0 ? ["sha256sum"] : [])];
  if (missing.length === 0) return good("tools", "all there");
  return bad("tools", `it lacks ${missing.join(", ")}`, "Install them there by its package manager.");
}

function port({ port: wanted }: Expectations): Finding[] {
  if (wanted === undefined) return [];
  if (!wanted.inUse) return [good("port", `${wanted.number} is free`)];
  const hint = `Stop that program (ss -ltnp 'sport = :${wanted.number}' names it), or choose another port for the master.`;
  return [bad("port", `port ${wanted.number} is in use by another program`, hint)];
}

function reach({ dials }: Expectations): Finding[] {
  if (dials === undefined) return [];
  const through = dials.isTunnelled === true ? " through the tunnel" : "";
  if (dials.problem === undefined) return [good("way to the master", `${dials.to} can be dialled${through}`)];
  if (dials.isTunnelled === true) {
    const held =
      "The tunnel is held over SSH from this computer. Run it again; if it stays so, its sshd or a firewall on it stands in the way.";
    return [bad("way to the master", `it can't dial the master at ${dials.to}${through}: ${dials.problem}`, held)];
  }
  const hint = "Agents dial the master: open that way (name, route, firewall), or name another in masters.endpoint.";
  return [bad("way to the master", `it can't dial the master at ${dials.to}: ${dials.problem}`, hint)];
}

function good(name: string, found: string): Finding {
  return { name, ok: true, found };
}

function bad(name: string, found: string, hint?: string): Finding {
  return { name, ok: false, found, ...(hint === undefined ? {} : { hint }) };
}

/** Dotted numbers. */
function isOlder(version: string, than: string): boolean {
  const [a, b] = [version, than].map((text) => text.split(".").map(Number));
  const [major = 0, minor = 0] = a ?? [];
  const [wantedMajor = 0, wantedMinor = 0] = b ?? [];
  return major < wantedMajor || (major === wantedMajor && minor < wantedMinor);
}
