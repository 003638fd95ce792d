import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { startOfDay, startOfMonth } from "./calendar.ts";

const utc = (text: string) => Date.parse(`${text}Z`);

describe("calendar", () => {
  test("a day begins at midnight of its zone", () => {
    expect(startOfDay(utc("2026-03-10T12:00"), "UTC")).toBe(utc("2026-03-10T00:00"));
    expect(startOfDay(utc("2026-03-10T12:00"), "Europe/Berlin")).toBe(utc("2026-03-09T23:00"));
    expect(startOfDay(utc("2026-03-10T03:00"), "America/New_York")).toBe(utc("2026-03-09T04:00"));
    expect(startOfDay(utc("2026-03-10T00:00"), "UTC")).toBe(utc("2026-03-10T00:00"));
  });

  test("days of 23 and of 25 hours are whole days", () => {
    expect(startOfDay(utc("2026-03-29T21:30"), "Europe/Berlin")).toBe(utc("2026-03-28T23:00"));
    expect(startOfDay(utc("2026-10-25T22:30"), "Europe/Berlin")).toBe(utc("2026-10-24T22:00"));
  });

  test("where the clock is set at midnight, the day begins with its first moment", () => {
    expect(startOfDay(utc("2026-03-29T12:00"), "Asia/Beirut")).toBe(utc("2026-03-28T22:00"));
  });

  test("a month begins with its first day", () => {
    expect(startOfMonth(utc("2026-03-31T23:30"), "UTC")).toBe(utc("2026-03-01T00:00"));
    expect(startOfMonth(utc("2026-03-31T22:30"), "Europe/Berlin")).toBe(utc("2026-03-31T22:00"));
    expect(startOfMonth(utc("2026-03-31T21:30"), "Europe/Berlin")).toBe(utc("2026-02-28T23:00"));
  });

  test("for any moment, the start is not after it, belongs to its day and month, and the minute before does not", () => {
    const zones = fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Pacific/Chatham");
    fc.assert(
      fc.property(fc.integer({ min: utc("2024-01-01T00:00"), max: utc("2034-01-01T00:00") }), zones, (now, zone) => {
        for (const start of [startOfDay, startOfMonth]) {
          const from = start(now, zone);
          expect(from).toBeLessThanOrEqual(now);
          expect(start(from, zone)).toBe(from);
          expect(start(from - 1, zone)).toBeLessThan(from);
        }
      }),
      { numRuns: 60 },
    );
  });
});
