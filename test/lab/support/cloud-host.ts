/** Machines of a cloud as lab hosts: cloud-init brings up what the user data says, and nothing of the lab's own is in them. */
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import type { HostMaker, MetadataHandler, PlacedHost, WantedHost } from "../../doubles/cloud-hosts.ts";
import { waitUntil } from "../../support/wait-until.ts";
import { serveMetadata } from "./cloud-metadata.ts";
import { type NspawnMachine, nspawnMachine } from "./container.ts";
import { controlGroupsNamed, removeControlGroup } from "./control-group.ts";
import { mountHostDisk, putFile } from "./host-disk.ts";
import type { Lab } from "./lab.ts";
import { containerDirectories, containerLock } from "./leftovers.ts";
import { hostAddress, type Site } from "./network.ts";
import { rootFileSystem } from "./root-file-system.ts";
import { outputOf, runProgram } from "./run-program.ts";

export interface CloudHost extends PlacedHost, Pick<NspawnMachine, "name" | "site" | "address" | "exec" | "read" | "bootId" | "processes"> {
  /** Lines `ssh-… AAAA… comment` of its present host keys, from its disk: what a first connection may be checked against. */
  hostPublicKeys(): string[];
  /** What its console said. */
  readonly consoleFile: string;
}

export interface LabCloudOptions {
  /** The lab's site that stands for a region; its first when not given. */
  readonly siteOf?: (region: string) => string | undefined;
}

const initTimeoutMs = 30_000;

/** Makes a cloud's machines in the lab, and serves their metadata there. The first time on this machine, the root file system is made: about two minutes. */
export async function labCloudHosts(lab: Lab, { siteOf = () => undefined }: LabCloudOptions = {}): Promise<HostMaker<CloudHost>> {
  const lower = await rootFileSystem("cloud");
  let placed = 0;
  const siteFor = (region: string) => lab.site(siteOf(region));
  return {
    directory: lab.directory,
    publicAddress: (region) => hostAddress(lab.slot, siteFor(region), lab.nextPlace(siteFor(region))),
    place: (wanted) => placeHost(lab, siteFor(wanted.region), `c${++placed}`, lower, wanted),
    metadata: (handle: MetadataHandler) => serveMetadata(lab.slot, handle),
  };
}

function placeHost(lab: Lab, site: Site, name: string, lower: string, wanted: WantedHost): CloudHost {
  const { slot } = lab;
  const address = wanted.address ?? hostAddress(slot, site, lab.nextPlace(site));
  const directory = join(slot.directory, name);
  const consoleFile = join(directory, "console.log");
  let { publicAddress } = wanted;
  let machine: NspawnMachine | undefined;
  let destroyed = false;

  const present = (): NspawnMachine => {
    if (machine === undefined || destroyed) throw new Error(`${name} (${wanted.instanceId}) ${destroyed ? "is gone" : "has no disk yet"}`);
    return machine;
  };
  const networkFile = () => ({
    path: "/etc/systemd/network/10-host0.network",
    content: [
      "[Match]",
      "Name=host0",
      "",
      "[Network]",
      `Address=${address}/24`,
      ...(publicAddress === undefined ? [] : [`Address=${publicAddress}/32`]),
      `Gateway=${site.gateway}`,
      "LinkLocalAddressing=no",
      "IPv6AcceptRA=no",
      "",
    ].join("\n"),
  });

  const makeDisk = async (): Promise<NspawnMachine> => {
    const disk = await mountHostDisk(directory, lower, undefined);
    const { hostname, instanceId } = wanted;
    putFile(disk.root, { path: "/etc/hostname", content: `${hostname}\n` });
    putFile(disk.root, { path: "/etc/hosts", content: `127.0.0.1 localhost\n127.0.1.1 ${hostname}\n` });
    if (wanted.network) putFile(disk.root, networkFile());
    const seed = (file: string, content: string) =>
      putFile(disk.root, { path: `/var/lib/cloud/seed/nocloud/${file}`, content, mode: 0o600 });
    seed("meta-data", `instance-id: ${instanceId}\nlocal-hostname: ${hostname}\n`);
    seed("user-data", wanted.userData);
    // The answers of the metadata service go no further than the instance allows: so many hops.
    const hops = ["hoplimit", String(wanted.hopLimit)];
    await outputOf(["ip", "-n", slot.prefix, "route", "replace", `${address}/32`, "dev", site.bridge, ...hops]);
    return nspawnMachine({ name, slot, site, address, disk, directory }, {});
  };

  return {
    name,
    site: site.name,
    address,
    consoleFile,
    isOn: () => !destroyed && machine?.isOn() === true,
    exec: (command, options) => present().exec(command, options),
    read: (command, options) => present().read(command, options),
    bootId: () => present().bootId(),
    processes: () => present().processes(),
    hostPublicKeys() {
      const keys = join(present().disk.root, "etc/ssh");
      const files = readdirSync(keys).filter((file) => /^ssh_host_.*_key\.pub$/.test(file));
      return files.map((file) => readFileSync(join(keys, file), "utf8").trim());
    },
    async powerOn() {
      machine ??= await makeDisk();
      const started = machine;
      started.start();
      await waitUntil(
        `${name} (${wanted.instanceId}) has started (see ${consoleFile})`,
        async () => {
          if (!started.isOn()) throw new Error(`${name} did not boot: ${consoleFile} says why`);
          try {
            return (await started.exec(["true"])).code === 0;
          } catch {
            // Its process 1 is not there yet.
            return false;
          }
        },
        initTimeoutMs,
      );
    },
    async powerOff(how) {
      await present().powerOff(how);
    },
    async reboot() {
      const { exec, isOn } = present();
      if (isOn()) await exec(["systemctl", "--no-block", "reboot"]);
    },
    async setPublicAddress(next) {
      const before = publicAddress;
      publicAddress = next;
      const { disk, exec, isOn } = present();
      if (!wanted.network) return;
      putFile(disk.root, networkFile());
      if (!isOn()) return;
      if (before !== undefined) await exec(["ip", "address", "del", `${before}/32`, "dev", "host0"]);
      if (next !== undefined) await exec(["ip", "address", "add", `${next}/32`, "dev", "host0"]);
    },
    async destroy() {
      if (machine === undefined || destroyed) {
        destroyed = true;
        return;
      }
      const { disk, isOn, powerOff } = machine;
      if (isOn()) await powerOff({ hard: true });
      destroyed = true;
      rmSync(containerLock(disk.root), { force: true });
      await outputOf(["umount", disk.root]);
      const nspawnName = `${slot.prefix}-${name}`;
      // A process that was killed stays in its group for a moment.
      await waitUntil(`the control groups of ${nspawnName} are empty`, () => controlGroupsOf(nspawnName).every(isRemoved), 30_000);
      for (const kept of containerDirectories(slot).filter((path) => basename(path) === nspawnName)) rmSync(kept, { recursive: true });
      await runProgram(["ip", "-n", slot.prefix, "route", "del", `${address}/32`]);
      await outputOf(["rm", "-rf", "--one-file-system", directory]);
    },
  };
}

/** Exactly of that name: `c1` is not `c10`. */
function controlGroupsOf(nspawnName: string): string[] {
  return controlGroupsNamed(nspawnName).filter((directory) => basename(directory) === nspawnName);
}

function isRemoved(controlGroup: string): boolean {
  try {
    removeControlGroup(controlGroup);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EBUSY") return false;
    throw error;
  }
}
