/** A host as a description that can be compared: its files, users, groups, units, processes and open ports. */
import { createHash } from "node:crypto";
import { lstatSync, readdirSync, readFileSync, readlinkSync, type Stats } from "node:fs";
import { join } from "node:path";
import type { HostDisk } from "./host-disk.ts";
import type { HostProcess } from "./processes.ts";

/** Each part maps a name to what is said of it, in one line. */
export interface HostSnapshot {
  /** path → type, mode, owner, and size and content of a file or the target of a link. */
  readonly files: ReadonlyMap<string, string>;
  readonly users: ReadonlyMap<string, string>;
  readonly groups: ReadonlyMap<string, string>;
  /** Unit files by `file NAME` (enabled, masked …), units in use by `unit NAME` (active, failed …); of OpenRC `RUNLEVEL NAME` (started, stopped). */
  readonly units: ReadonlyMap<string, string>;
  /** `uid command line` → how many of them. */
  readonly processes: ReadonlyMap<string, string>;
  /** `tcp 0.0.0.0:22` and such. */
  readonly ports: ReadonlyMap<string, string>;
}

export interface SnapshotSource {
  /** The host's file system as its own processes see it, with its mounts. */
  readonly root: string;
  readonly disk: HostDisk;
  /** Paths inside that are not the host's own. */
  readonly skip: readonly string[];
  readonly read: (command: readonly string[] | string) => Promise<string>;
  readonly processes: () => HostProcess[];
}

/** The kernel's own, and what systemd, udev and logins keep writing while nothing happens. What else is in /run counts. */
const notCompared = [
  "/proc",
  "/sys",
  "/dev",
  "/run/host",
  "/run/log",
  "/run/motd.dynamic",
  "/run/openrc",
  "/run/systemd",
  "/run/udev",
  "/run/user",
  "/run/utmp",
  "/run/sudo",
];

export async function takeSnapshot(source: SnapshotSource): Promise<HostSnapshot> {
  // The process list first: nothing asks inside at that moment.
  const processes = countEach(source.processes().map(({ uid, command }) => `${uid} ${command}`));
  const skip = new Set([...notCompared, ...source.skip]);
  const files = new Map<string, string>();
  walk(source, "/", skip, files);
  return {
    files,
    users: accounts(source, "/etc/passwd"),
    groups: accounts(source, "/etc/group"),
    units: await units(source),
    processes,
    ports: await ports(source),
  };
}

function walk(source: SnapshotSource, path: string, skip: ReadonlySet<string>, files: Map<string, string>): void {
  for (const name of readdirSync(join(source.root, path))) {
    const inside = join(path, name);
    if (skip.has(inside)) continue;
    const stats = statOf(join(source.root, inside));
    // It went while we looked.
    if (stats === undefined) continue;
    files.set(withoutRandomPart(inside), describeFile(source, inside, stats));
    if (stats.isDirectory()) walk(source, inside, skip, files);
  }
}

/** systemd names the private /tmp of a unit by boot and chance; which unit it was made for is what counts. */
function withoutRandomPart(path: string): string {
  return path.replace(/(\/systemd-private-)[0-9a-f]{32}-(.+?\.service)-[0-9A-Za-z]{6}(?=\/|$)/, "$1$2");
}

function describeFile(source: SnapshotSource, path: string, stats: Stats): string {
  const owner = `${(stats.mode & 0o7777).toString(8).padStart(4, "0")} ${stats.uid}:${stats.gid}`;
  if (stats.isDirectory()) return `directory ${owner}`;
  if (stats.isSymbolicLink()) return `link ${owner} to ${readlinkSync(join(source.root, path))}`;
  // Another number after each boot.
  if (stats.isFile() && /^\/run\/.*\.pid$/.test(path)) return `file ${owner} with a process id`;
  if (stats.isFile()) return `file ${owner} ${stats.size} bytes ${content(source, path)}`;
  return `${stats.isFIFO() ? "pipe" : stats.isSocket() ? "socket" : "device"} ${owner}`;
}

/** Only what the host wrote is read: what is not in the overlay's upper directory can't have changed. */
function content(source: SnapshotSource, path: string): string {
  const written = statOf(join(source.disk.upper, path)) !== undefined;
  if (!written && !path.startsWith("/run/")) return "as installed";
  const shared = statOf(join(source.disk.lower, path))?.isFile() === true;
  const digest = digestOf(join(source.root, path));
  // A changed mode or owner copies the whole file up; its content is still the same.
  return shared && digest === digestOf(join(source.disk.lower, path)) ? "as installed" : digest;
}

function digestOf(file: string): string {
  try {
    return `sha256:${createHash("sha256").update(readFileSync(file)).digest("hex")}`;
  } catch (error) {
    return `unreadable: ${(error as NodeJS.ErrnoException).code}`;
  }
}

/** `name:x:…` lines of /etc/passwd or /etc/group. */
function accounts({ disk }: SnapshotSource, file: string): Map<string, string> {
  const lines = readFileSync(join(disk.root, file), "utf8").split("\n").filter(Boolean);
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1)]));
}

async function units({ read }: SnapshotSource): Promise<Map<string, string>> {
  const isSystemd = (await read("[ -d /run/systemd/system ] && echo yes || :")).trim() === "yes";
  return isSystemd ? systemdUnits(read) : openrcServices(await read(["rc-status", "--all", "--nocolor"]));
}

/** Of lines `Runlevel: default` and ` ssh   [  started  ]` below it. */
function openrcServices(text: string): Map<string, string> {
  const services = new Map<string, string>();
  let runlevel = "";
  for (const line of text.split("\n")) {
    runlevel = /Runlevel: (.*)$/i.exec(line)?.[1]?.trim() ?? runlevel;
    const [, name, state = ""] = /^\s+(\S+)\s+\[\s*(\w+)/.exec(line) ?? [];
    if (name !== undefined) services.set(`${runlevel} ${name}`, state);
  }
  return services;
}

async function systemdUnits(read: SnapshotSource["read"]): Promise<Map<string, string>> {
  const list = async (what: string) => (await read(["systemctl", what, "--no-legend", "--plain", "--full", "--no-pager"])).split("\n");
  const unitFiles = (await list("list-unit-files")).filter(Boolean).map((line) => line.split(/\s+/));
  const loaded = (await list("list-units")).filter(Boolean).map((line) => line.split(/\s+/));
  return new Map([
    ...unitFiles.map(([name = "", state = "", preset = ""]): [string, string] => [`file ${name}`, `${state} ${preset}`]),
    ...loaded.map(([name = "", load = "", active = "", sub = ""]): [string, string] => [`unit ${name}`, `${load} ${active} ${sub}`]),
  ]);
}

async function ports({ read }: SnapshotSource): Promise<Map<string, string>> {
  const lines = (await read(["ss", "-Hlntu"])).split("\n").filter(Boolean);
  return countEach(lines.map((line) => line.split(/\s+/)).map(([protocol = "", , , , address = ""]) => `${protocol} ${address}`));
}

function countEach(names: readonly string[]): Map<string, string> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return new Map([...counts].map(([name, count]) => [name, `${count}×`]));
}

function statOf(path: string): Stats | undefined {
  try {
    return lstatSync(path);
  } catch {
    return undefined;
  }
}
