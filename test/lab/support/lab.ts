/** Boots hosts for tests: real systemd, real sshd, sites with a network between them. Nothing is left of them, even after kill -9. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import type { Socket } from "node:net";
import { join } from "node:path";
import { bootContainer, type Container } from "./container.ts";
import { withFileLock } from "./file-lock.ts";
import type { HostOptions } from "./lab-host.ts";
import { claimSlot, type LabSlot, labsLock, sitesPerLab } from "./lab-slot.ts";
import { type Leftovers, leftovers } from "./leftovers.ts";
import { cutSite, machineAddress, makeNetwork, mendSite, type Site, siteOf } from "./network.ts";
import { rootFileSystem } from "./root-file-system.ts";
import { outputOf } from "./run-program.ts";
import { endLab, sweepDeadLabs } from "./sweep.ts";

export interface LabOptions {
  /** A number of like hosts, dealt out to the sites in turn, or each host by itself. */
  readonly hosts: number | readonly HostOptions[];
  /** How many (`site1`, `site2` …) or their names; one when not given, at most seven. */
  readonly sites?: number | readonly string[];
}

export interface Lab {
  readonly hosts: readonly Container[];
  /** The host of that name; throws when there is none. */
  host(name: string): Container;
  /** One more, in a lab that runs. */
  addHost(options?: HostOptions): Promise<Container>;
  /** This machine as the hosts see it: what runs here and listens there can be dialled from every site. */
  readonly machineAddress: string;
  /** Private key of `root` and `ops` on all hosts. */
  readonly keyFile: string;
  /** A directory that goes with the lab. */
  readonly directory: string;
  /** The site loses all connection to other sites and to this machine, in silence; its hosts still see each other. */
  cutSite(name: string): Promise<void>;
  mendSite(name: string): Promise<void>;
  /** Hosts off, everything gone. More than once is fine. */
  close(): Promise<void>;
  /** What this lab has on this machine now: all empty after `close`. */
  leftovers(): Leftovers;
  /** For what is built on the lab (virtual machines): its place among labs, and its sites. */
  readonly slot: LabSlot;
  site(name: string | undefined): Site;
  /** The next free place for a host in the site: decides its address. */
  nextPlace(site: Site): number;
}

/** Needs root on Linux and the programs that requirements.ts names. Ends what was booted when one host does not come up. */
export async function bootLab(options: LabOptions): Promise<Lab> {
  const root = await rootFileSystem("host");
  const slot = await withFileLock(labsLock, async () => {
    await sweepDeadLabs();
    return claimSlot();
  });
  const endWatchdog = startWatchdog();
  let closed: Promise<void> | undefined;
  // Once only: the slot may belong to another lab afterwards.
  const close = () => {
    closed ??= endLab(slot).then(endWatchdog);
    return closed;
  };
  try {
    return await furnish(slot, root, options, close);
  } catch (error) {
    await close();
    throw error;
  }
}

async function furnish(slot: LabSlot, root: string, options: LabOptions, close: () => Promise<void>): Promise<Lab> {
  const sites = siteNames(options.sites ?? 1).map((name, number) => siteOf(slot, name, number));
  await makeNetwork(slot, sites);
  const keyFile = join(slot.directory, "client-key");
  await outputOf(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "lab", "-f", keyFile]);
  const publicKey = readFileSync(`${keyFile}.pub`, "utf8");
  const hosts: Container[] = [];
  const placed = new Map<Site, number>();
  const names = new Set<string>();

  const site = (name: string | undefined): Site => {
    const found = name === undefined ? sites[0] : sites.find((each) => each.name === name);
    if (found === undefined) throw new Error(`the lab has no site ${name}: it has ${sites.map((each) => each.name).join(", ")}`);
    return found;
  };
  const nextPlace = (at: Site): number => {
    const number = placed.get(at) ?? 0;
    placed.set(at, number + 1);
    return number;
  };
  const addHost = async (host: HostOptions = {}): Promise<Container> => {
    const name = host.name ?? `h${names.size + 1}`;
    if (!/^[a-z][a-z0-9-]{0,10}$/.test(name) || names.has(name)) throw new Error(`${name} can't be the name of a lab host`);
    names.add(name);
    const at = site(host.site);
    const number = nextPlace(at);
    const under = host.init === "openrc" ? await rootFileSystem("openrc") : root;
    const booted = await bootContainer(name, { slot, site: at, number, rootFileSystem: under, keyFile, publicKey }, host);
    hosts.push(booted);
    return booted;
  };

  const wanted = typeof options.hosts === "number" ? dealtOut(options.hosts, sites) : options.hosts;
  // All are waited for, so that nothing is still being made when a failed lab is taken down.
  const outcomes = await Promise.allSettled(wanted.map(addHost));
  const failed = outcomes.find((outcome) => outcome.status === "rejected");
  if (failed !== undefined) throw failed.reason;
  const inOrder = outcomes.flatMap((outcome) => (outcome.status === "fulfilled" ? [outcome.value] : []));
  hosts.splice(0, hosts.length, ...inOrder);
  const cut = new Set<Site>();
  return {
    hosts,
    addHost,
    keyFile,
    close,
    slot,
    site,
    nextPlace,
    directory: slot.directory,
    machineAddress: machineAddress(slot),
    leftovers: () => leftovers(slot),
    host: (name) => {
      const found = hosts.find((host) => host.name === name);
      if (found === undefined) throw new Error(`the lab has no host ${name}`);
      return found;
    },
    cutSite: async (name) => {
      if (cut.has(site(name))) return;
      await cutSite(slot, site(name));
      cut.add(site(name));
    },
    mendSite: async (name) => {
      if (!cut.delete(site(name))) return;
      await mendSite(slot, site(name));
    },
  };
}

function siteNames(sites: number | readonly string[]): readonly string[] {
  const names = typeof sites === "number" ? Array.from({ length: sites }, (_, number) => `site${number + 1}`) : sites;
  if (names.length === 0 || names.length > sitesPerLab) throw new Error(`a lab has one to ${sitesPerLab} sites`);
  return names;
}

function dealtOut(count: number, sites: readonly Site[]): HostOptions[] {
  return Array.from({ length: count }, (_, number) => ({ site: sites[number % sites.length]?.name ?? "" }));
}

/** A shell that waits for this process's end, whatever ends it, and sweeps then; returns what ends it after an orderly close. */
function startWatchdog(): () => Promise<void> {
  const sweep = join(import.meta.dirname, "sweep.ts");
  const watchdog = spawn("sh", ["-c", 'read -r _; exec "$0" "$1" >/dev/null 2>&1', process.execPath, sweep], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
    cwd: "/",
  });
  // It is there for the time after this process, so it never keeps it alive.
  watchdog.unref();
  (watchdog.stdin as Socket).unref();
  const ended = once(watchdog, "exit");
  return async () => {
    if (watchdog.exitCode !== null || watchdog.signalCode !== null) return;
    watchdog.ref();
    watchdog.kill("SIGKILL");
    await ended;
  };
}
