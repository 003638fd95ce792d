import { chmodSync, existsSync, mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { expiredTasks, maxKeptMs, maxKeptTasks, removeTree } from "./retention.ts";

const now = 10 * maxKeptMs;

test("the newest recorded attempts are kept, older ones are not", () => {
  const recorded = Array.from({ length: maxKeptTasks + 2 }, (_, age) => ({ taskId: `job.0.${age}`, finishedAt: now - age }));
  expect(expiredTasks(recorded, now)).toEqual([`job.0.${maxKeptTasks}`, `job.0.${maxKeptTasks + 1}`]);
});

test("none is kept longer than a day", () => {
  const old = { taskId: "job.0.1", finishedAt: now - maxKeptMs - 1 };
  expect(expiredTasks([old, { taskId: "job.0.2", finishedAt: now - maxKeptMs }], now)).toEqual(["job.0.1"]);
});

test("a tree with read-only directories is deleted as well", async () => {
  const tree = mkdtempSync(join(tmpdir(), "spillway-retention-"));
  mkdirSync(join(tree, "cache"));
  writeFileSync(join(tree, "cache", "file"), "");
  chmodSync(join(tree, "cache"), 0o500);
  await removeTree(tree);
  expect(existsSync(tree)).toBe(false);
});
