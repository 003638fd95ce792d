import { expect, test } from "vitest";
import { bootIdFact } from "./boot-id.ts";

const neverRead = () => {
  throw new Error("not to be asked here");
};

test("on Linux the kernel's boot id is the boot id", () => {
  expect(bootIdFact("linux", (path) => `${path}\n`, neverRead)).toBe("/proc/sys/kernel/random/boot_id");
});

test("on macOS the boot session's UUID is the boot id", () => {
  expect(bootIdFact("darwin", neverRead, (command, args) => `${[command, ...args].join(" ")}\n`)).toBe(
    "/usr/sbin/sysctl -n kern.bootsessionuuid",
  );
});

test("this host's boot id does not change between two looks", () => {
  expect(bootIdFact()).toBe(bootIdFact());
});
