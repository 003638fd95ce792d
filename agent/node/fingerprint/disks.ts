/** Fact: the block devices that are mounted on the host, with their room. */
import { statfs } from "node:fs/promises";
import { posix } from "node:path";
import type { NodeFacts } from "../../contract/node.ts";
import { hostMounts, type Mount, readText } from "./mounts.ts";

type Disk = NonNullable<NodeFacts["disks"]>[number];

/** More are not told: a node's record is bounded. */
const maxDisks = 32;
const longestPath = 256;
const bytesPerMiB = 1024 ** 2;

export async function disksFact(
  readFile: (path: string) => string = readText,
  room: (path: string) => Promise<{ size: number; free: number } | undefined> = roomOf,
): Promise<Disk[]> {
  const disks: Disk[] = [];
  for (const { device, path, source } of mountedDisks(hostMounts(readFile)).slice(0, maxDisks)) {
    const found = await room(path);
    if (found === undefined) continue;
    const rotational = rotates(device, source, readFile);
    disks.push({
      path,
      device: source.slice(0, longestPath),
      sizeMiB: Math.floor(found.size / bytesPerMiB),
      freeMiB: Math.floor(found.free / bytesPerMiB),
      ...(rotational === undefined ? {} : { rotational }),
    });
  }
  return disks;
}

/** Each device once, where it is mounted nearest to the root; no loop devices (images of packages), nothing in the system's own directories. */
export function mountedDisks(mounts: readonly Mount[]): Mount[] {
  const bySource = new Map<string, Mount>();
  for (const mount of mounts) {
    if (!mount.source.startsWith("/dev/") || mount.source.startsWith("/dev/loop")) continue;
    if (/^\/(run|proc|sys|dev)\//.test(mount.path) || mount.path.length > longestPath) continue;
    const known = bySource.get(mount.source);
    if (known === undefined || mount.path.length < known.path.length) bySource.set(mount.source, mount);
  }
  return [...bySource.values()].toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** A partition says nothing of it, its disk does. Undefined where the kernel does not tell. */
function rotates(device: string, source: string, readFile: (path: string) => string): boolean | undefined {
  // File systems over several devices (btrfs) have no device number of their own.
  const place = device.startsWith("0:") ? `/sys/class/block/${posix.basename(source)}` : `/sys/dev/block/${device}`;
  const text = (readFile(`${place}/queue/rotational`) || readFile(`${place}/../queue/rotational`)).trim();
  return text === "1" ? true : text === "0" ? false : undefined;
}

async function roomOf(path: string): Promise<{ size: number; free: number } | undefined> {
  // By process 1's view, since the agent's sandbox hides some directories; where that can't be entered, by its own.
  for (const seen of [posix.join("/proc/1/root", path), path]) {
    try {
      const { bsize, blocks, bavail } = await statfs(seen);
      return { size: bsize * blocks, free: bsize * bavail };
    } catch {
      // The next view, or none.
    }
  }
  return undefined;
}
