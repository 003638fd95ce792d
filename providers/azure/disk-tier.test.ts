import fc from "fast-check";
import { expect, it } from "vitest";
import { billedDiskGiB } from "./disk-tier.ts";

it.each([
  [30, 32],
  [32, 32],
  [33, 64],
  [100, 128],
  [1025, 2048],
])("a disk of %s GiB is billed as one of %s", (gib, billed) => {
  expect(billedDiskGiB(gib)).toBe(billed);
});

it("never bills less than there is, and refuses what is not sold", () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 32_767 }), (gib) => billedDiskGiB(gib) >= gib));
  expect(() => billedDiskGiB(32_768)).toThrow("more than Azure's largest");
});
