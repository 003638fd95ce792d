import { expect, test } from "vitest";
import { cgroupMemoryMiB, unitCgroups } from "./unit-cgroup.ts";

const files = (content: Record<string, string>) => (path: string) => content[path] ?? "";

test.each([
  ["version 2", "0::/init.scope\n", "/sys/fs/cgroup"],
  ["version 1", "9:name=systemd:/init.scope\n4:memory:/\n0::/init.scope\n", "/sys/fs/cgroup/systemd"],
  ["a container without a namespace of its own", "0::/machine.slice/h1.scope/init.scope\n", "/sys/fs/cgroup/machine.slice/h1.scope"],
])("units' control groups are found: %s", (_, cgroup, path) => {
  expect(unitCgroups(files({ "/proc/1/cgroup": cgroup }))).toBe(path);
});

test("where process 1 can't be seen there are none to be found", () => {
  expect(unitCgroups(files({}))).toBeUndefined();
});

test("memory is that of all processes; pages they share count once where that decides", () => {
  const host = files({
    "/group/cgroup.procs": "7\n8\n9\n",
    "/proc/7/status": "Name:\tpython\nVmRSS:\t   61440 kB\n",
    "/proc/8/status": "Name:\tpython\nVmRSS:\t   61440 kB\n",
    "/proc/7/smaps_rollup": "Rss:  61440 kB\nPss:  30720 kB\n",
    "/proc/8/smaps_rollup": "Rss:  61440 kB\nPss:  40960 kB\n",
  });
  expect(cgroupMemoryMiB("/group", 200, host)).toBe(120);
  expect(cgroupMemoryMiB("/group", 100, host)).toBe(70);
});
