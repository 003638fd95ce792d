import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { writeDurably } from "./durable-file.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spillway-durable-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("a file is replaced as a whole, readable by its owner only, and nothing else is left", async () => {
  const path = join(directory, "file");
  await writeDurably(path, "old");
  await Promise.all([writeDurably(path, "new 1"), writeDurably(path, "new 2")]);
  expect(readFileSync(path, "utf8")).toMatch(/^new [12]$/);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(directory)).toEqual(["file"]);
});

test("a write that fails leaves nothing half made", async () => {
  await expect(writeDurably(join(directory, "absent", "file"), "x")).rejects.toThrow("ENOENT");
  expect(readdirSync(directory)).toEqual([]);
});
