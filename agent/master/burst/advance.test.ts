import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { SpillwayError } from "../../contract/errors.ts";
import { type BurstEvent, type BurstRow, type BurstState, burstMoves, burstRow, burstState } from "../../contract/ledger.ts";
import { advance } from "./advance.ts";
import { aRow, launch, launched, live, noon } from "./testing/builders.ts";

const drain = (cause: "idle" | "budget" | "operator", deadline: number): BurstEvent => ({ type: "drain", cause, deadline, reason: cause });
const retire: BurstEvent = { type: "retire", reason: "it is drained" };

function refusal(row: BurstRow, event: BurstEvent): SpillwayError {
  try {
    advance(row, event, noon);
  } catch (error) {
    return error as SpillwayError;
  }
  throw new Error("it was allowed");
}

describe("a row of the ledger", () => {
  test("goes from intent to gone, with the time of each state", () => {
    const events = [
      [launch, noon + 1],
      [launched, noon + 2],
      [drain("idle", noon + 9), noon + 3],
      [retire, noon + 4],
      [{ type: "gone" }, noon + 5],
    ] as const;
    const row = aRow("b-1", events);
    expect(row.state).toBe("gone");
    expect(row.at).toEqual({ intent: noon, launching: noon + 1, live: noon + 2, draining: noon + 3, retiring: noon + 4, gone: noon + 5 });
    expect(burstRow.parse(row)).toEqual(row);
  });

  test("what is not in the table is refused, with what can be done instead", () => {
    const error = refusal(aRow("b-1", []), launched);
    expect(error).toMatchObject({ code: "ledger-refused", where: "burst/b-1" });
    expect(error.message).toBe("a burst in the state intent can't have been launched");
    expect(error.hint).toBe("Nothing has been bought for it yet.");
  });

  test("the state before a burst was drained comes back when it is uncordoned, and its life counts from the first time", () => {
    const events = [
      [launch, noon],
      [launched, noon + 10],
      [drain("idle", noon + 99), noon + 20],
      [{ type: "uncordon", reason: "wanted" }, noon + 30],
    ] as const;
    const row = aRow("b-1", events);
    expect(row).toMatchObject({ state: "live", why: "wanted" });
    expect(row.at.live).toBe(noon + 10);
    expect(row.drain).toBeUndefined();
  });

  test("a drain only becomes stricter", () => {
    const row = aRow("b-1", [...live, drain("operator", noon + 50), drain("budget", noon + 90)]);
    expect(row.drain).toEqual({ cause: "operator", deadline: noon + 50 });
    expect(advance(row, drain("idle", noon + 20), noon).drain).toEqual({ cause: "operator", deadline: noon + 20 });
    expect(aRow("b-2", [...live, drain("idle", noon + 50), drain("budget", noon + 90)]).drain).toEqual({
      cause: "budget",
      deadline: noon + 50,
    });
  });

  test("only its own nodes join it, each once", () => {
    const row = aRow("b-1", [...live, [{ type: "join", node: "b-1-1" }, noon + 5], [{ type: "join", node: "b-1-1" }, noon + 9]]);
    expect(row.joined).toEqual({ "b-1-1": noon + 5 });
    expect(refusal(row, { type: "join", node: "b-2-1" }).message).toBe("it has no node b-2-1");
  });

  test("its times never run backwards, though the clock may", () => {
    expect(aRow("b-1", [[launch, noon - 5000]]).at.launching).toBe(noon);
  });

  test("planned and actual seconds of a launch stand side by side", () => {
    const row = aRow("b-1", [launch, { type: "time", phase: "boot", seconds: 3 }]);
    expect(row.seconds).toEqual({ boot: { actual: 3 } });
  });

  test("for any events, it only ever moves along the table, what is gone stays gone, and a refusal changes nothing", () => {
    const reason = fc.constant("so");
    const events: fc.Arbitrary<BurstEvent> = fc.oneof(
      fc.constantFrom(launch, launched, retire, { type: "gone" } as const, { type: "use" } as const),
      fc.record({ type: fc.constantFrom("withdraw" as const, "fail" as const, "uncordon" as const, "leak" as const), reason }),
      fc.record({ type: fc.constant("drain" as const), cause: fc.constantFrom("idle", "budget"), deadline: fc.nat(), reason }),
      fc.record({ type: fc.constant("extend" as const), expiresAt: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(events, fc.nat(1000)), { maxLength: 30 }), (list) => {
        let row = aRow("b-1", []);
        for (const [event, offset] of list) {
          const frozen = structuredClone(row);
          const target: BurstState | undefined = burstMoves[row.state][event.type];
          if (target === undefined) refusal(row, event);
          else row = advance(row, event, noon + offset);
          expect(row.state).toBe(target ?? frozen.state);
          if (target === undefined) expect(row).toEqual(frozen);
          expect(Math.max(...Object.values(row.at))).toBeGreaterThanOrEqual(Math.max(...Object.values(frozen.at)));
          if (frozen.state === "gone") expect(row).toEqual(frozen);
        }
      }),
    );
  });

  test("from every state there is a way to gone", () => {
    const reached = new Set<BurstState>(["gone"]);
    for (let round = 0; round < burstState.options.length; round += 1) {
      for (const state of burstState.options) if (Object.values(burstMoves[state]).some((next) => reached.has(next))) reached.add(state);
    }
    expect([...reached].toSorted()).toEqual(burstState.options.toSorted());
  });
});
