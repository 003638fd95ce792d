import { expect, test } from "vitest";
import { enforcedFact } from "./enforced.ts";

const host = (files: Record<string, string>) => (path: string) => files[path] ?? "";
const version1 = (memoryOptions: string) => `
22 26 0:21 / /proc rw,nosuid - proc proc rw
64 55 0:32 / /sys/fs/cgroup/memory ${memoryOptions} shared:19 - cgroup cgroup rw,memory
66 55 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid,relatime shared:21 - cgroup cgroup rw,cpu,cpuacct
71 55 0:37 / /sys/fs/cgroup/systemd rw,nosuid shared:26 - cgroup cgroup rw,name=systemd
`;

test("plain processes are held to no limit, and the node says so", () => {
  expect(enforcedFact("process")).toEqual([]);
});

test("a host with control groups version 2 holds tasks to what its controllers can", () => {
  expect(enforcedFact("systemd", host({ "/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n" }))).toEqual(["cpu", "memory"]);
  expect(enforcedFact("systemd", host({ "/sys/fs/cgroup/cgroup.controllers": "cpu pids\n" }))).toEqual(["cpu"]);
});

test("a host with version 1 holds them to what process 1 may write", () => {
  expect(enforcedFact("systemd", host({ "/proc/1/mountinfo": version1("rw,nosuid") }))).toEqual(["cpu", "memory"]);
});

test("a container that sees a controller but may not use it does not enforce it", () => {
  expect(enforcedFact("systemd", host({ "/proc/1/mountinfo": version1("ro,nosuid") }))).toEqual(["cpu"]);
});

test("a host that shows nothing enforces nothing", () => {
  expect(enforcedFact("systemd", host({}))).toEqual([]);
});
