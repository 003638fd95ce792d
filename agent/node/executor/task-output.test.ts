import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type PunchHole, shares, taskOutputBound } from "./task-output.ts";

let directory: string;
let files: { stdout: string; stderr: string };

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spillway-output-"));
  files = { stdout: join(directory, "stdout.log"), stderr: join(directory, "stderr.log") };
  for (const file of Object.values(files)) writeFileSync(file, "");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const line = (number: number) => `line ${String(number).padStart(6, "0")} ${"x".repeat(84)}\n`;
const lines = (count: number, from = 0) => Array.from({ length: count }, (_, number) => line(from + number)).join("");

test("output within its bound is left alone", async () => {
  writeFileSync(files.stdout, lines(100));
  const output = taskOutputBound(files);
  expect(await output.bound(100_000)).toBe(9700);
  expect(output.cutOf("stdout")).toBe(0);
});

test("of too much output the newest half of the bound is kept from the beginning of a line, and its bytes stay where they were", async () => {
  writeFileSync(files.stdout, lines(4000));
  appendFileSync(files.stderr, "a complaint\n");
  const before = readFileSync(files.stdout);
  const output = taskOutputBound(files);
  const kept = await output.bound(200_000);
  const at = output.cutOf("stdout");
  expect(kept).toBeLessThanOrEqual(100_000);
  expect(kept).toBeGreaterThan(99_000);
  expect(output.cutOf("stderr")).toBe(0);
  const after = readFileSync(files.stdout);
  expect(after.length).toBe(before.length);
  expect(after.subarray(at)).toEqual(before.subarray(at));
  expect(after.subarray(at, at + 4).toString()).toBe("line");
  expect(statSync(files.stdout).blocks * 512).toBeLessThan(110_000);
  // What is written from now on comes after it.
  appendFileSync(files.stdout, line(4000));
  expect(readFileSync(files.stdout).subarray(before.length).toString()).toBe(line(4000));
});

test("where no hole can be made all of it goes, and the next bytes are still found at their place", async () => {
  const cannot: PunchHole = () => Promise.reject(new Error("fallocate: Operation not supported"));
  writeFileSync(files.stdout, lines(4000));
  const { size } = statSync(files.stdout);
  const output = taskOutputBound(files, cannot);
  expect(await output.bound(200_000)).toBe(0);
  expect(output.cutOf("stdout")).toBe(size);
  appendFileSync(files.stdout, "next\n");
  expect(readFileSync(files.stdout).subarray(output.cutOf("stdout")).toString()).toBe("next\n");
  expect(await output.bound(200_000)).toBe(5);
});

test("the next agent knows what was cut, and makes the hole that a killed one had only noted", async () => {
  writeFileSync(files.stdout, lines(4000));
  const killed: PunchHole = () => new Promise(() => {});
  void taskOutputBound(files, killed).bound(200_000);
  await expect.poll(() => readFileSync(`${files.stdout}.cut`, "utf8"), { interval: 5 }).toMatch(/^\d+\n$/);
  const next = taskOutputBound(files);
  expect(await next.bound(200_000)).toBeLessThanOrEqual(100_000);
  expect(next.cutOf("stdout")).toBeGreaterThan(0);
  expect(statSync(files.stdout).blocks * 512).toBeLessThan(110_000);
});

test("output that its own command has emptied begins anew", async () => {
  writeFileSync(files.stdout, lines(4000));
  const output = taskOutputBound(files);
  await output.bound(200_000);
  writeFileSync(files.stdout, "anew\n");
  expect(await output.bound(200_000)).toBe(5);
  expect(output.cutOf("stdout")).toBe(0);
});

test("both channels share what is kept: never more than that, never more than there is, and nothing is wasted", () => {
  const size = fc.integer({ min: 0, max: 1_000_000 });
  fc.assert(
    fc.property(size, size, size, (stdout, stderr, budget) => {
      const keep = shares({ stdout, stderr }, budget);
      expect(keep.stdout).toBeLessThanOrEqual(stdout);
      expect(keep.stderr).toBeLessThanOrEqual(stderr);
      expect(keep.stdout + keep.stderr).toBe(Math.min(budget, stdout + stderr));
    }),
  );
});
