import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { boundRoleLog } from "./role-log.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spillway-role-log-"));
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(directory, { recursive: true, force: true });
});

test("a log that has grown too large is kept once and begun anew, and whoever appends goes on at its beginning", () => {
  const log = join(directory, "agent.log");
  const stop = boundRoleLog(log, { bytes: 100, everyMs: 1000 });
  appendFileSync(log, "a".repeat(150));
  vi.advanceTimersByTime(1000);
  appendFileSync(log, "b".repeat(120));
  expect([statSync(`${log}.1`).size, statSync(log).size]).toEqual([150, 120]);
  vi.advanceTimersByTime(1000);
  expect(readFileSync(`${log}.1`, "utf8")).toBe("b".repeat(120));
  expect(statSync(log).size).toBe(0);
  stop();
});

test("a small log, one that is not there and one that somebody else keeps are left alone", () => {
  const log = join(directory, "agent.log");
  const stops = [boundRoleLog(log, { bytes: 100, everyMs: 1000 }), boundRoleLog(undefined)];
  vi.advanceTimersByTime(1000);
  expect(existsSync(log)).toBe(false);
  appendFileSync(log, "a".repeat(100));
  vi.advanceTimersByTime(1000);
  expect(existsSync(`${log}.1`)).toBe(false);
  for (const stop of stops) stop();
});
