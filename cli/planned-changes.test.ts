import { expect, test } from "vitest";
import type { CloudPoolCost } from "../stacks/cloud-pool-cost.ts";
import type { Preview } from "../stacks/workflow/up.ts";
import { planLines } from "./planned-changes.ts";

const hourMs = 3_600_000;
const now = 100 * hourMs;
const nothing: Preview = { changes: [], hourly: 0, cloudPools: [], guardsSetAside: [] };
const linesOf = (preview: Partial<Preview>) => planLines("prod", { ...nothing, ...preview }, now);
const base: CloudPoolCost = {
  pool: "base",
  cloud: "aws",
  region: "eu-central-1",
  instanceType: "m7i.large",
  market: "on-demand",
  machines: 2,
  hourly: 0.254,
  askedAt: now - 2 * hourMs,
};
const { hourly: _, ...unpriced } = base;
const { askedAt: __, ...neverAsked } = unpriced;

test("a plan lists its changes and what machines of one's own cost", () => {
  expect(linesOf({})).toEqual(["Nothing to change."]);
  expect(linesOf({ changes: [{ name: "m-1", operation: "create" }], hourly: 0.18 })).toEqual([
    "  + m-1              create",
    "  cost: $0.18/hour, by your own prices",
  ]);
});

test("it tells what node pools in clouds cost, and how old the prices are, also when nothing changes", () => {
  expect(linesOf({ cloudPools: [base] })).toEqual([
    "Nothing to change.",
    "  base: 2 × m7i.large in aws eu-central-1: $0.254/hour, $185.42/month (prices 2 h old)",
  ]);
  expect(linesOf({ cloudPools: [{ ...base, market: "spot" }] })[1]).toContain("base: 2 × m7i.large spot in aws");
});

test("it does not take a price that is not known for none", () => {
  expect(linesOf({ cloudPools: [neverAsked] })[1]).toBe(
    "  base: 2 × m7i.large in aws eu-central-1: the price is not known on this computer. To ask: spillway prices refresh prod",
  );
  expect(linesOf({ cloudPools: [unpriced] })[1]).toBe(
    "  base: 2 × m7i.large in aws eu-central-1: no price of this type is known there (prices 2 h old). To ask again: spillway prices refresh prod",
  );
});

test("it says of a type that is to be chosen that its price is an estimate, and of one that is not known what was asked for", () => {
  expect(linesOf({ cloudPools: [{ ...base, isEstimate: true }] })[1]).toBe(
    "  base: 2 × m7i.large in aws eu-central-1: about $0.254/hour, $185.42/month (prices 2 h old): an estimate, by the cheapest type known to fit; one that was chosen before stays",
  );
  const { instanceType: _type, ...unchosen } = unpriced;
  expect(linesOf({ cloudPools: [{ ...unchosen, isEstimate: true }] })[1]).toBe(
    "  base: 2 × the cheapest type that fits in aws eu-central-1: no type that fits is known there (prices 2 h old). To ask again: spillway prices refresh prod",
  );
});

test("it ends with what bursts may add and each guard rail that is set aside", () => {
  const bursts = { machines: 3, perHour: 1, pretend: false };
  expect(linesOf({ bursts, guardsSetAside: ["the guard rail x is set aside: a reason"] })).toEqual([
    "Nothing to change.",
    "  bursts may add up to 3 machines, at most $1.00/hour",
    "  ! the guard rail x is set aside: a reason",
  ]);
});
