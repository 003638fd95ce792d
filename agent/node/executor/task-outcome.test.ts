import { expect, test } from "vitest";
import { endedWithCode, endedWithoutCode } from "./task-outcome.ts";

const cancelled = { reason: "cancelled by ops", state: "cancelled" as const, killAt: 0 };
const timedOut = { reason: "it ran too long", state: "failed" as const, killAt: 0 };

test.each([
  [0, "succeeded", "exited with 0"],
  [1, "failed", "exited with 1"],
  [128, "failed", "exited with 128"],
  [137, "failed", "killed by signal 9"],
  [143, "failed", "killed by signal 15"],
  [255, "failed", "exited with 255"],
])("exit code %i is %s: %s", (exitCode, state, reason) => {
  expect(endedWithCode(exitCode, undefined, undefined)).toEqual({ state, exitCode, reason });
});

test("a stop decides how an attempt ended, whatever code its command answers with", () => {
  expect(endedWithCode(0, cancelled, undefined)).toEqual({ state: "cancelled", exitCode: 0, reason: "stopped: cancelled by ops" });
  expect(endedWithCode(143, timedOut, undefined)).toEqual({ state: "failed", exitCode: 143, reason: "stopped: it ran too long" });
});

test("without a code the stop, else the reboot, else nothing known explains it", () => {
  expect(endedWithoutCode({ stop: cancelled, started: true, rebooted: true })).toMatchObject({ state: "cancelled", exitCode: 137 });
  expect(endedWithoutCode({ stop: cancelled, started: false, rebooted: false }).reason).toBe("stopped before it started: cancelled by ops");
  expect(endedWithoutCode({ stop: undefined, started: true, rebooted: true })).toEqual({ state: "lost", reason: "the host was rebooted" });
  expect(endedWithoutCode({ stop: undefined, started: true, rebooted: false })).toEqual({
    state: "lost",
    reason: "its processes vanished",
  });
});
