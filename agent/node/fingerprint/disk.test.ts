import { tmpdir } from "node:os";
import { expect, test } from "vitest";
import { diskFact } from "./disk.ts";

test("free disk is a whole number of MiB", async () => {
  const free = await diskFact(tmpdir());
  expect(Number.isInteger(free)).toBe(true);
  expect(free).toBeGreaterThan(0);
});
