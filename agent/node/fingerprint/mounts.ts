/** The host's mounts, as its process 1 sees them: the agent's own view may be narrowed by its sandbox. */
import { readFileSync } from "node:fs";

export interface Mount {
  /** `8:1`; major 0 is no block device. */
  readonly device: string;
  readonly path: string;
  readonly type: string;
  /** What is mounted: `/dev/sda1`, `overlay`, `cgroup`. */
  readonly source: string;
  /** Of this mount. */
  readonly options: readonly string[];
  /** Of the file system. */
  readonly features: readonly string[];
}

/** Of `36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue`: the mount's own options, then type, source and the file system's. */
export function hostMounts(readFile: (path: string) => string = readText): Mount[] {
  const text = readFile("/proc/1/mountinfo") || readFile("/proc/self/mountinfo");
  return text.split("\n").flatMap((line) => {
    const [mount = "", fileSystem] = line.split(" - ");
    if (fileSystem === undefined) return [];
    const [, , device = "", , path = "", options = ""] = mount.split(" ");
    const [type = "", source = "", features = ""] = fileSystem.split(" ");
    return [{ device, path: unescaped(path), type, source: unescaped(source), options: options.split(","), features: features.split(",") }];
  });
}

/** Empty when it is not there, or not to be seen. */
export function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/** Blanks and backslashes are written in octal there. */
function unescaped(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
