import { expect, it } from "vitest";
import { z } from "zod";
import { burstPolicy, burstPolicyFields } from "./policy.ts";

const written = z.strictObject(burstPolicyFields);
const least = { maxNodes: 4, budget: { perDay: 5 } };

function problemsOf(value: unknown): string[] {
  return (written.safeParse(value).error?.issues ?? []).map(({ path, message }) => `${path.join(".")}: ${message}`);
}

it("fills in what is left out, in ms", () => {
  const policy = written.parse(least);
  expect(policy).toEqual({
    rules: [{ pendingForMs: 30_000, priorityAtLeast: 0, use: "cheapest", maxParallel: 4, perBurst: 1 }],
    maxNodes: 4,
    budget: { perDay: 5, zone: "UTC" },
    retire: { idleForMs: 300_000, minimumLifeMs: 60_000, drainDeadlineMs: 300_000 },
    retryAfter: 300_000,
    expireAfter: 1_800_000,
  });
  const { expireAfter: expireAfterMs, retryAfter: retryAfterMs, ...rest } = policy;
  const normal = { ...rest, expireAfterMs, retryAfterMs };
  expect(burstPolicy.parse(normal)).toEqual(normal);
});

it("reads rules as people write them", () => {
  const rules = [{ when: { pendingFor: "2m", priorityAtLeast: 50 }, use: ["aws", "azure"], maxParallel: 2 }, { use: "cheapest" }];
  expect(written.parse({ ...least, rules }).rules).toEqual([
    { pendingForMs: 120_000, priorityAtLeast: 50, use: ["aws", "azure"], maxParallel: 2, perBurst: 1 },
    { pendingForMs: 30_000, priorityAtLeast: 0, use: "cheapest", maxParallel: 4, perBurst: 1 },
  ]);
});

it("never buys without a cap", () => {
  expect(problemsOf({ maxNodes: 4, budget: {} })).toEqual([
    "budget: write at least one of perHour, perDay and perMonth (in USD): bursts are never bought without a cap",
  ]);
  expect(problemsOf({ budget: { perDay: 5 } })).toHaveLength(1);
});

it("refuses a time zone that does not exist, and unknown keys", () => {
  expect(problemsOf({ maxNodes: 4, budget: { perDay: 5, zone: "Berlin" } })).toEqual([
    'budget.zone: there is no time zone "Berlin"; write one like Europe/Berlin or UTC',
  ]);
  expect(problemsOf({ ...least, retire: { idlefor: "5m" } })).toEqual(['retire: Unrecognized key: "idlefor"']);
  expect(problemsOf({ ...least, rules: [{ use: [] }] })).toHaveLength(1);
});
