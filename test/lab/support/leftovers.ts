/** What labs have on this machine, counted by the machine's own lists: processes, mounts, links, control groups, directories. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { controlGroupsNamed } from "./control-group.ts";
import type { LabSlot } from "./lab-slot.ts";
import { commandLine, controlGroups, processIdentity, processIds } from "./processes.ts";

export interface Leftovers {
  /** `pid command line`. */
  readonly processes: readonly string[];
  /** Mount points, in the order they were mounted. */
  readonly mounts: readonly string[];
  /** Links and network namespaces. */
  readonly links: readonly string[];
  readonly controlGroups: readonly string[];
  readonly directories: readonly string[];
}

/** Of one lab. */
export function leftovers(slot: LabSlot): Leftovers {
  const directory = `${slot.directory}/`;
  return {
    processes: processIdsOf(slot).map((pid) => `${pid} ${commandLine(pid)}`),
    mounts: readFileSync("/proc/self/mountinfo", "utf8")
      .split("\n")
      .map((line) => line.split(" ")[4] ?? "")
      .filter((point) => point.startsWith(directory)),
    links: [`/sys/class/net/${slot.prefix}`, `/run/netns/${slot.prefix}`].filter(existsSync),
    controlGroups: controlGroupsNamed(`${slot.prefix}-`),
    directories: [slot.directory, ...containerDirectories(slot)].filter(existsSync),
  };
}

/** Known by their control group: hosts, virtual machines and all that runs in them. Never by a name in a command line. */
export function processIdsOf(slot: LabSlot): number[] {
  const group = `/${slot.prefix}-`;
  // One that has ended and is not asked for yet by its parent is nothing that can be ended.
  return processIds().filter((pid) => pid !== process.pid && controlGroups(pid).includes(group) && processIdentity(pid) !== undefined);
}

/** systemd-nspawn keeps a directory for each container, which stays when it is killed. */
export function containerDirectories(slot: LabSlot): string[] {
  const parent = "/run/systemd/nspawn/propagate";
  if (!existsSync(parent)) return [];
  return readdirSync(parent)
    .filter((name) => name.startsWith(`${slot.prefix}-`))
    .map((name) => `${parent}/${name}`);
}

/** The lock systemd-nspawn keeps for a container's root directory, which stays when it is killed. */
export function containerLock(root: string): string {
  const { dev, ino } = statSync(root);
  return `/run/systemd/nspawn/locks/inode-${dev}:${ino}`;
}
