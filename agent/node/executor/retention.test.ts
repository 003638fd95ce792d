import { chmodSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { expiredTasks, maxKeptMs, maxKeptTasks, removeTree } from "./retention.ts";

const now = 10 * maxKeptMs;

test("the newest recorded attempts are kept, older ones are not", () => {
  const recorded = Array.from({ length: maxKeptTasks + 2 }, (_, age) => ({ taskId: `job.0.${age}`, finishedAt: now - age, bytes: 10 }));
  expect(expiredTasks(recorded, { now, maxBytes: 1e9 })).toEqual([`job.0.${maxKeptTasks}`, `job.0.${maxKeptTasks + 1}`]);
});

test("none is kept longer than a day", () => {
  const old = { taskId: "job.0.1", finishedAt: now - maxKeptMs - 1, bytes: 0 };
  expect(expiredTasks([old, { taskId: "job.0.2", finishedAt: now - maxKeptMs, bytes: 0 }], { now, maxBytes: 0 })).toEqual(["job.0.1"]);
});

test("when their output is too much together the oldest go first, and those without output stay", () => {
  const recorded = [
    { taskId: "newest", finishedAt: now, bytes: 60 },
    { taskId: "silent", finishedAt: now - 3, bytes: 0 },
    { taskId: "older", finishedAt: now - 1, bytes: 40 },
    { taskId: "oldest", finishedAt: now - 2, bytes: 1 },
  ];
  expect(expiredTasks(recorded, { now, maxBytes: 100 })).toEqual(["oldest"]);
  expect(expiredTasks(recorded, { now, maxBytes: -5 })).toEqual(["newest", "older", "oldest"]);
});

test("a tree with read-only directories is deleted as well", async () => {
  const tree = mkdtempSync(join(tmpdir(), "spillway-retention-"));
  mkdirSync(join(tree, "cache"));
  writeFileSync(join(tree, "cache", "file"), "");
  chmodSync(join(tree, "cache"), 0o500);
  await removeTree(tree);
  expect(existsSync(tree)).toBe(false);
});
