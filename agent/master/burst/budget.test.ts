import { describe, expect, test } from "vitest";
import type { BurstEvent } from "../../contract/ledger.ts";
import { budgetOf, budgetRefusal, squeeze } from "./budget.ts";
import { planDefaults } from "./options.ts";
import { anOffer, aPolicy, aRow, hourMs, launch, live, noon } from "./testing/builders.ts";

const options = planDefaults;
/** $60/hour is $1/minute. */
const offer = anOffer("big", 60);
/** 2 min drain + 30 s reaction + 30 s teardown. */
const toEnd = 3;
/** 1 min launch + 30 s reaction. */
const toLaunch = 1.5;
const minutes = (count: number) => count * 60_000;

const policyWith = (budget: object) => aPolicy({ budget: { zone: "UTC", ...budget } });
const at = (now: number, budget: object = {}) => ({ policy: policyWith(budget), options, now });
const windowOf = (rows: Parameters<typeof budgetOf>[0], now: number, budget: object = {}) =>
  Object.fromEntries(budgetOf(rows, at(now, budget)).windows.map((one) => [one.window, one]));

describe("money of bursts", () => {
  test("an intent has cost nothing, and all that it may cost is set aside", () => {
    const { hour, day } = windowOf([aRow("b-1", [], { offer })], noon);
    expect(hour).toMatchObject({ spent: 0, committed: 60 });
    expect(day).toMatchObject({ spent: 0, committed: toLaunch + toEnd });
    expect(aRow("b-1", [], { offer }).committed).toBeCloseTo(toLaunch + toEnd);
  });

  test("what runs costs from its launch on, and what it takes to end it stays set aside", () => {
    const { hour, day, month } = windowOf(
      [
        aRow(
          "b-1",
          [
            [launch, noon],
            [{ type: "launched" }, noon + minutes(1)],
          ],
          { offer },
        ),
      ],
      noon + minutes(10),
    );
    expect(hour).toMatchObject({ spent: 60, committed: 60 });
    expect(day).toMatchObject({ spent: 10, committed: 10 + toEnd });
    expect(month?.spent).toBe(10);
  });

  test("what is set aside melts while it drains and is destroyed, and is free when it is gone", () => {
    const drain: BurstEvent = { type: "drain", cause: "idle", deadline: noon + minutes(2), reason: "idle" };
    const committed = (events: Parameters<typeof aRow>[1], now: number) =>
      windowOf([aRow("b-1", [...live, ...events], { offer })], now).day?.committed;
    expect(committed([drain], noon + minutes(1))).toBeCloseTo(1 + 2);
    const retiring = [drain, [{ type: "retire", reason: "drained" }, noon + minutes(1)]] as const;
    expect(committed(retiring, noon + minutes(1))).toBeCloseTo(1 + 0.5);
    expect(committed([...retiring, [{ type: "gone" }, noon + minutes(1.25)]], noon + hourMs)).toBeCloseTo(1.25);
  });

  test("yesterday's money is not today's, but of the same month", () => {
    const midnight = Date.UTC(2026, 2, 11);
    const { day, month } = windowOf([aRow("b-1", live, { offer, at: midnight - minutes(5) })], midnight + minutes(1));
    expect([day?.spent, month?.spent]).toEqual([1, 6]);
  });

  test("a leak is counted apart from the moment it is known", () => {
    const events = [...live, { type: "retire", reason: "" }, [{ type: "leak", reason: "refused" }, noon + minutes(2)]] as const;
    const view = budgetOf([aRow("b-1", events, { offer })], at(noon + minutes(7)));
    expect(view.leaked).toEqual({ bursts: ["b-1"], hourly: 60, spent: 5 });
    expect(view.windows.map(({ spent, committed }) => [spent, committed])).toEqual([
      [0, 0],
      [2, 2],
      [2, 2],
    ]);
  });

  test("80 % of a cap warn", () => {
    const rows = [aRow("b-1", live, { offer })];
    expect(windowOf(rows, noon + minutes(4), { perDay: 10 }).day?.warning).toBe(false);
    expect(windowOf(rows, noon + minutes(5), { perDay: 10 }).day?.warning).toBe(true);
    expect(windowOf(rows, noon + minutes(5)).day?.warning).toBe(false);
  });
});

describe("the budget", () => {
  const intent = aRow("b-2", [], { offer });

  test("allows what fits under each cap, and lasts for the minimum life", () => {
    expect(budgetRefusal([], intent, at(noon))).toBeUndefined();
    expect(budgetRefusal([], intent, at(noon, { perDay: toLaunch + toEnd + 1, perHour: 60 }))).toBeUndefined();
  });

  test("says which cap forbids a launch", () => {
    expect(budgetRefusal([], intent, at(noon, { perHour: 59 }))).toBe("budget.perHour: $60.00/h would be above the cap of $59.00/h");
    expect(budgetRefusal([aRow("b-1", live, { offer })], intent, at(noon + minutes(10), { perDay: 15 }))).toBe(
      "budget.perDay: $17.50 ($10.00 spent, $7.50 set aside) would be above the cap of $15.00",
    );
    expect(budgetRefusal([], intent, at(noon, { perMonth: 5 }))).toBe("budget.perMonth: the cap of $5.00 would be reached within 1 min");
  });

  test("withdraws intents first, then drains the lowest priority, and no more than it takes", () => {
    const rows = [1, 2, 3].map((n) => aRow(`b-${n}`, live, { offer, priority: 40 - n }));
    const spent = 3 * 10;
    const context = (slack: number) => at(noon + minutes(10), { perDay: spent + 3 * toEnd + slack });
    const goes = (slack: number, list = rows) => squeeze(list, ({ priority }) => priority, context(slack)).map(({ row }) => row.id);
    expect(goes(1.6)).toEqual([]);
    expect(goes(1.4)).toEqual(["b-3"]);
    expect(goes(0.6)).toEqual(["b-3", "b-2"]);
    expect(goes(0)).toEqual(["b-3", "b-2", "b-1"]);
    const withIntent = [...rows, aRow("b-9", [], { offer, priority: 90, at: noon + minutes(10) })];
    expect(goes(1.6, withIntent)).toEqual(["b-9"]);
  });

  test("drains until the rate is within a cap that was lowered", () => {
    const rows = [1, 2, 3].map((n) => aRow(`b-${n}`, live, { offer, priority: n }));
    const goes = squeeze(rows, ({ priority }) => priority, at(noon, { perHour: 70 }));
    expect(goes.map(({ row }) => row.id)).toEqual(["b-1", "b-2"]);
    expect(goes[0]?.reason).toBe("budget.perHour: $180.00/h are above the cap of $70.00/h, and its priority (1) is the lowest");
  });
});
