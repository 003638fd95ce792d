/** A unit's control group: whether any process is in it, how much memory they use. Costs no process, unlike asking systemd. */
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Where the kernel shows the control groups of systemd's units on this host; undefined when that can't be seen from here. */
export function unitCgroups(readFile: (path: string) => string = readText): string | undefined {
  const lines = readFile("/proc/1/cgroup").trim().split("\n");
  const named = lines.find((line) => line.includes(":name=systemd:"));
  const unified = lines.find((line) => line.startsWith("0::"));
  const line = named ?? unified;
  if (line === undefined) return undefined;
  // Process 1 is in init.scope; slices stand beside it.
  const path = dirname(line.slice(line.indexOf(":", line.indexOf(":") + 1) + 1));
  const mount = named === undefined ? "/sys/fs/cgroup" : "/sys/fs/cgroup/systemd";
  return path === "/" ? mount : join(mount, path);
}

/** Whether any process is in it. An empty one may be there a while longer than its unit. */
export function hasProcesses(path: string): boolean {
  return readText(join(path, "cgroup.procs")) !== "";
}

/** MiB in use by all its processes. Forked processes share pages: where that may matter, each page is counted once if the kernel lets us see. */
export function cgroupMemoryMiB(path: string, moreThanMiB: number, readFile: (path: string) => string = readText): number {
  const pids = readFile(join(path, "cgroup.procs")).split("\n").filter(Boolean);
  const resident = sumKiB(pids.map((pid) => fieldKiB(readFile(`/proc/${pid}/status`), "VmRSS")));
  if (resident / 1024 <= moreThanMiB) return resident / 1024;
  const proportional = pids.map(
    (pid) => fieldKiB(readFile(`/proc/${pid}/smaps_rollup`), "Pss") ?? fieldKiB(readFile(`/proc/${pid}/status`), "VmRSS"),
  );
  return sumKiB(proportional) / 1024;
}

function sumKiB(values: readonly (number | undefined)[]): number {
  return values.reduce<number>((sum, value) => sum + (value ?? 0), 0);
}

function fieldKiB(text: string, name: string): number | undefined {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text);
  return match === null ? undefined : Number(match[1]);
}

/** Empty when it is not there: processes end while one looks. */
function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
