import { cpus } from "node:os";
import { expect, test } from "vitest";
import { cpuFact } from "./cpu.ts";

test("a node offers at least one processor, and none it has not", () => {
  expect(cpuFact()).toBeGreaterThanOrEqual(1);
  expect(cpuFact()).toBeLessThanOrEqual(Math.max(1, cpus().length));
});
