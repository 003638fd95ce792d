import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { dateIn } from "../agent/contract/calendar.ts";
import type { BurstRow } from "../agent/contract/ledger.ts";
import { estimateCosts } from "./cost-estimate.ts";
import { aNodeView, anOffer, aRow, aView } from "./testing/bursts.ts";

const hourMs = 3_600_000;
const now = Date.parse("2026-11-03T06:00:00Z");
const ago = (hours: number) => now - hours * hourMs;
const estimate = (rows: readonly BurstRow[], nodes: ReturnType<typeof aNodeView>[] = [], zone = "UTC", at = now) => {
  const view = aView({ rows: [...rows] });
  return estimateCosts({ ...view, ...(view.policy && { policy: { ...view.policy, budget: { ...view.policy.budget, zone } } }) }, nodes, at);
};
const anOwn = (name: string, hours: number, hourly = 0.1) =>
  aNodeView({ name, declaredAt: ago(hours), declaration: { ...aNodeView().declaration, price: { hourly } } });

describe("by day", () => {
  it("each day has its own part of what runs over midnight", () => {
    const row = aRow({ state: "gone", hourly: 1, at: { launching: ago(10), gone: ago(3) } });
    expect(estimate([row]).days).toEqual([
      { day: "2026-11-01", nodePools: 0, bursts: 0, leaked: 0 },
      { day: "2026-11-02", nodePools: 0, bursts: 4, leaked: 0 },
      { day: "2026-11-03", nodePools: 0, bursts: 3, leaked: 0 },
    ]);
  });

  it("days and month are those of the budget's time zone", () => {
    const { days, zone, since } = estimate([], [], "Asia/Tokyo", Date.parse("2026-10-31T16:00:00Z"));
    expect({ days: days.map(({ day }) => day), zone, since }).toEqual({
      days: ["2026-11-01"],
      zone: "Asia/Tokyo",
      since: Date.parse("2026-10-31T15:00:00Z"),
    });
  });

  it("a day of 25 hours costs 25", () => {
    const { days } = estimate(
      [aRow({ hourly: 1, at: { launching: Date.parse("2026-10-24T12:00:00Z") } })],
      [],
      "Europe/Berlin",
      Date.parse("2026-10-26T12:00:00Z"),
    );
    expect(days.find(({ day }) => day === "2026-10-25")?.bursts).toBe(25);
  });

  it("a node costs from when the master has known it, and a leak is told apart", () => {
    const leaking = aRow({ state: "leaked", hourly: 2, at: { launching: ago(5), leaked: ago(2) } });
    expect(estimate([leaking], [anOwn("rack-1", 30)]).days).toEqual([
      { day: "2026-11-01", nodePools: 0, bursts: 0, leaked: 0 },
      { day: "2026-11-02", nodePools: 2.4, bursts: 0, leaked: 0 },
      { day: "2026-11-03", nodePools: 0.6, bursts: 6, leaked: 4 },
    ]);
  });
});

describe("by pool", () => {
  it("node pools come first, then burst pools with what is there now", () => {
    const rows = [
      aRow({ id: "b-1", hourly: 1, nodes: ["b-1-1", "b-1-2"], at: { launching: ago(2) } }),
      aRow({ id: "b-2", state: "gone", hourly: 1, at: { launching: ago(4), gone: ago(3) } }),
      aRow({ id: "b-3", burstPool: "cloud", offer: "cloud/x", provider: "aws", hourly: 3, at: { launching: ago(1) } }),
    ];
    expect(estimate(rows, [anOwn("rack-1", 10), anOwn("rack-2", 5)]).pools).toEqual([
      { pool: "rack", kind: "node pool", machines: 2, hourly: 0.2, usd: 1.5, leaked: 0, pretend: false },
      { pool: "cloud", kind: "burst pool", machines: 1, hourly: 3, usd: 3, leaked: 0, pretend: false },
      { pool: "overflow", kind: "burst pool", machines: 2, hourly: 1, usd: 3, leaked: 0, pretend: true },
    ]);
  });

  it("nodes of bursts are none of a node pool, and what has no price or no age is named", () => {
    const burst = aNodeView({ name: "b-1-1", declaredAt: ago(1), declaration: { ...aNodeView().declaration, burst: "b-1" } });
    const { price: _, ...unpriced } = aNodeView().declaration;
    const nodes = [burst, aNodeView({ name: "rack-1" }), aNodeView({ name: "rack-2", declaredAt: ago(1), declaration: unpriced })];
    const { pools, uncounted } = estimate([], nodes);
    expect(pools).toMatchObject([{ pool: "rack", machines: 2, usd: 0 }]);
    expect(uncounted).toEqual(["rack-1", "rack-2"]);
  });
});

describe("by burst", () => {
  it("those of this month count with the hours that they were billed for", () => {
    const rows = [
      aRow({ id: "b-0", state: "gone", at: { launching: ago(200), gone: ago(100) } }),
      aRow({ id: "b-1", state: "gone", at: { intent: ago(1), gone: ago(1) } }),
      aRow({ id: "b-2", hourly: 0.5, at: { launching: ago(100) } }),
    ];
    expect(estimate(rows).bursts).toMatchObject([{ burst: "b-2", hours: 54, usd: 27, machines: 1, pretend: true }]);
  });

  it("a price is pretended where its offer says so", () => {
    const view = aView({ rows: [aRow({ at: { launching: ago(1) } })], offers: [anOffer({ pretend: false })] });
    expect(estimateCosts(view, [], now).bursts).toMatchObject([{ pretend: false }]);
  });
});

it("the days, the pools and the bursts come to the same sum", () => {
  const spans = fc.array(fc.tuple(fc.integer({ min: 0, max: 1500 }), fc.integer({ min: 0, max: 1500 }), fc.integer({ min: 0, max: 50 })), {
    maxLength: 12,
  });
  fc.assert(
    fc.property(spans, fc.constantFrom("UTC", "Europe/Berlin", "America/New_York"), (all, zone) => {
      const rows = all.map(([from, hours, tenths], index) =>
        aRow({
          id: `b-${index}`,
          state: "gone",
          burstPool: `p${index % 3}`,
          hourly: tenths / 10,
          at: { launching: ago(from), gone: Math.min(now, ago(from) + hours * hourMs) },
        }),
      );
      const { days, pools, bursts } = estimate(rows, [], zone);
      const spent = bursts.reduce((sum, { usd }) => sum + usd, 0);
      expect(days.reduce((sum, one) => sum + one.bursts, 0)).toBeCloseTo(spent, 4);
      expect(pools.reduce((sum, { usd }) => sum + usd, 0)).toBeCloseTo(spent, 4);
      expect(new Set(days.map(({ day }) => day)).size).toBe(days.length);
      expect(days.at(-1)?.day).toBe(dateIn(now, zone));
    }),
  );
});
