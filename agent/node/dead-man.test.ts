import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { afterGap, graceOf, isForsaken, refreshOf, silenceAtStart } from "./dead-man.ts";

const minute = 60_000;
const silenceMs = 30 * minute;
const noon = Date.UTC(2026, 2, 10, 12);

describe("the silence an agent starts with", () => {
  test("an agent that starts for the first time begins to count", () => {
    expect(silenceAtStart(undefined, noon, silenceMs)).toBe(0);
  });

  test("the time between two agents counts", () => {
    const kept = { silentMs: 2 * minute, writtenAt: noon };
    expect(silenceAtStart(kept, noon + 5 * minute, silenceMs)).toBe(7 * minute + graceOf(silenceMs) / 10);
  });

  test("a clock that jumps back takes nothing of what was measured away", () => {
    const kept = { silentMs: 20 * minute, writtenAt: noon };
    expect(silenceAtStart(kept, noon - 1000 * minute, silenceMs)).toBeGreaterThanOrEqual(20 * minute);
  });

  test("a clock that jumps forward leaves a living master time to welcome the node", () => {
    const start = silenceAtStart({ silentMs: 0, writtenAt: noon }, noon + 1000 * minute, silenceMs);
    expect(isForsaken(start, silenceMs)).toBe(false);
    expect(silenceMs - start).toBeGreaterThanOrEqual(graceOf(silenceMs) * 0.9);
  });

  test("what was measured to the end ends the machine after a restart too", () => {
    expect(isForsaken(silenceAtStart({ silentMs: silenceMs, writtenAt: noon }, noon - minute, silenceMs), silenceMs)).toBe(true);
  });

  test("an agent that is started again and again does not live for ever, whatever its clock says", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1e12, max: 1e12 }), { minLength: 400, maxLength: 400 }), (jumps) => {
        let kept = { silentMs: 0, writtenAt: noon };
        let now = noon;
        const forsaken = jumps.some((jump) => {
          now += jump;
          kept = { silentMs: silenceAtStart(kept, now, silenceMs), writtenAt: now };
          return isForsaken(kept.silentMs, silenceMs);
        });
        expect(forsaken).toBe(true);
      }),
    );
  });

  test("no gap ends the machine by itself", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.99, noNaN: true }), fc.integer({ min: -1e12, max: 1e12 }), (share, gap) => {
        expect(isForsaken(afterGap(share * silenceMs, gap, silenceMs), silenceMs)).toBe(false);
      }),
    );
  });
});

test("short limits have short graces and are kept often", () => {
  expect(graceOf(4000)).toBe(1000);
  expect(refreshOf(4000)).toBe(400);
  expect(graceOf(silenceMs)).toBe(minute);
  expect(refreshOf(silenceMs)).toBe(10_000);
});
