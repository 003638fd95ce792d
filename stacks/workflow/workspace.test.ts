import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { releaseDeadLocks } from "./workspace.ts";

let root: string;
let locks: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "spillway-locks-"));
  process.env.SPILLWAY_STATE_DIR = root;
  locks = join(root, "local/backend/.pulumi/locks/organization/spillway/local");
  mkdirSync(locks, { recursive: true });
});
afterEach(() => {
  delete process.env.SPILLWAY_STATE_DIR;
  rmSync(root, { recursive: true, force: true });
});

function lockedBy(holder: { pid: number; hostname: string }): void {
  writeFileSync(join(locks, "one.json"), JSON.stringify(holder));
}

it("removes the lock of a dead process of this host, and that alone", () => {
  lockedBy({ pid: 2 ** 22 + 1, hostname: hostname() });
  writeFileSync(join(locks, "other.json.attrs"), "{}");
  releaseDeadLocks("local");
  expect(readdirSync(locks)).toEqual(["other.json.attrs"]);
});

it("takes a process that has the holder's number but is no Pulumi for another one", () => {
  lockedBy({ pid: 1, hostname: hostname() });
  releaseDeadLocks("local");
  expect(readdirSync(locks)).toEqual([]);
});

it("leaves a lock of another host alone and says where its holder is", () => {
  lockedBy({ pid: 77, hostname: "elsewhere" });
  expect(() => releaseDeadLocks("local")).toThrow(/process 77 on elsewhere is changing this environment/);
  expect(readdirSync(locks)).toEqual(["one.json"]);
});

it("is not stopped by what a killed process has left half written", () => {
  writeFileSync(join(locks, "torn.json"), "");
  writeFileSync(join(locks, "torn2.json.attrs"), '{"user.metadata":null}');
  expect(() => releaseDeadLocks("local")).not.toThrow();
});
