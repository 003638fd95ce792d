import { expect, it } from "vitest";
import { batchSize } from "./upgrade-settings.ts";

it("has at least one node in a batch, and never fewer than the share", () => {
  expect([0, 1, 4, 5, 12].map((nodes) => batchSize("25%", nodes))).toEqual([1, 1, 1, 2, 3]);
  expect(batchSize("100%", 7)).toBe(7);
  expect(batchSize(3, 12)).toBe(3);
});
