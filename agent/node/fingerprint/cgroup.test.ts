import { expect, test } from "vitest";
import { cgroupFact } from "./cgroup.ts";

const host = (files: Record<string, string>) => (path: string) => files[path] ?? "";
const version1 = "64 55 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
const unified = "65 55 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n";

test("a host tells which control groups it has", () => {
  expect(cgroupFact(host({ "/sys/fs/cgroup/cgroup.controllers": "cpu memory\n" }))).toBe("v2");
  expect(cgroupFact(host({ "/proc/1/mountinfo": version1 }))).toBe("v1");
  expect(cgroupFact(host({ "/proc/1/mountinfo": version1 + unified }))).toBe("hybrid");
  expect(cgroupFact(host({}))).toBeUndefined();
});
