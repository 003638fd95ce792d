import { describe, expect, test } from "vitest";
import { graceWithin, noticeReason, reclaimOf, standingNotice } from "./notice-state.ts";

const notice = { at: Date.UTC(2026, 10, 24, 8, 22), text: "Azure takes this spot VM back (Preempt)", saidAt: 1, heardAt: 1, stoppedAt: 1 };

describe("the grace of a task on a node that is taken away", () => {
  test("is its own where there is time, else what is left", () => {
    expect(graceWithin(10_000, { at: 30_000 }, 0)).toBe(10_000);
    expect(graceWithin(60_000, { at: 30_000 }, 0)).toBe(30_000);
  });

  test("is two seconds when the time is up, so that no task is killed without its signal; one that wanted less gets less", () => {
    expect(graceWithin(60_000, { at: 30_000 }, 40_000)).toBe(2000);
    expect(graceWithin(500, { at: 30_000 }, 40_000)).toBe(500);
  });

  test("is its own on any other node", () => {
    expect(graceWithin(60_000, undefined, 0)).toBe(60_000);
  });
});

test("an advice that was overruled does not count, and is no reclaim in any case", () => {
  expect(standingNotice({ notice: { ...notice, kind: "rebalance" } })).toBeDefined();
  expect(standingNotice({ notice: { ...notice, kind: "rebalance", overruled: true } })).toBeUndefined();
  expect(reclaimOf({ notice: { ...notice, kind: "rebalance" } })).toBeUndefined();
  expect(reclaimOf({ notice: { ...notice, kind: "reclaim" } })).toBeDefined();
  expect(reclaimOf({})).toBeUndefined();
});

test("people are told when the machine goes, in UTC", () => {
  expect(noticeReason({ ...notice, kind: "reclaim" })).toBe(
    "its cloud takes the machine at 08:22:00 UTC: Azure takes this spot VM back (Preempt)",
  );
});
