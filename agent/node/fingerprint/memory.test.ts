import { expect, test } from "vitest";
import { memoryFact } from "./memory.ts";

const gib = 1024 ** 3;

test("without a limit all of the host's memory counts", () => {
  expect(memoryFact(8 * gib, 0)).toBe(8192);
  expect(memoryFact(8 * gib, 2 ** 63)).toBe(8192);
});

test("a limit on the agent's own group counts instead", () => {
  expect(memoryFact(8 * gib, 2 * gib)).toBe(2048);
});
