import { afterEach, expect, test, vi } from "vitest";
import { setAlarm } from "./alarm.ts";

afterEach(() => vi.useRealTimers());

test("an alarm rings at its time, though that is longer away than a timer can be", () => {
  vi.useFakeTimers();
  let rang = 0;
  const days = 60 * 86_400_000;
  setAlarm(Date.now() + days, () => rang++);
  vi.advanceTimersByTime(days - 1);
  expect(rang).toBe(0);
  vi.advanceTimersByTime(1);
  expect(rang).toBe(1);
});

test("an alarm for the past rings soon, one called off never", () => {
  vi.useFakeTimers();
  let rang = 0;
  setAlarm(Date.now() - 1000, () => rang++);
  setAlarm(Date.now() + 10, () => (rang += 100))();
  vi.advanceTimersByTime(1000);
  expect(rang).toBe(1);
});
