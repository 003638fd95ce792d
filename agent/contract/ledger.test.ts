import { expect, test } from "vitest";
import { costOf } from "./ledger.ts";

const hour = 3_600_000;

test("a burst costs from its launch until it is gone", () => {
  expect(costOf({ hourly: 2, at: { intent: 0 } }, hour)).toEqual({ spent: 0, leaked: 0 });
  expect(costOf({ hourly: 2, at: { intent: 0, launching: hour } }, 2 * hour)).toEqual({ spent: 2, leaked: 0 });
  expect(costOf({ hourly: 2, at: { launching: hour, gone: 2 * hour } }, 9 * hour)).toEqual({ spent: 2, leaked: 0 });
});

test("what it costs once it is leaked is counted apart, and only from the time asked for", () => {
  const row = { hourly: 2, at: { launching: hour, leaked: 3 * hour } };
  expect(costOf(row, 4 * hour)).toEqual({ spent: 4, leaked: 2 });
  expect(costOf(row, 4 * hour, 2 * hour)).toEqual({ spent: 2, leaked: 2 });
  expect(costOf(row, 8 * hour, 7 * hour)).toEqual({ spent: 0, leaked: 2 });
});
