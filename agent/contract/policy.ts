/** When machines are bought for a while, where, how many, for how much money at most, and when they go again. */
import { z } from "zod";
import { durationQuantity } from "./quantities.ts";
import { resourceName } from "./workload.ts";

const usd = z.number().nonnegative();
const durationMs = z.number().int().nonnegative();
const priority = z.number().int().min(0).max(100);
const use = z.union([z.literal("cheapest"), z.array(resourceName).min(1).max(32)]);

/** Undefined in a budget: that window has no cap. */
const caps = { perHour: usd.optional(), perDay: usd.optional(), perMonth: usd.optional() };

export const burstRule = z.object({
  pendingForMs: durationMs.describe("it holds for jobs that have waited so long"),
  priorityAtLeast: priority.describe("and whose priority is at least this"),
  use: use.describe("the cheapest offer of all burst pools, or of the first of these burst pools that has one"),
  maxParallel: z.number().int().min(1).describe("machines bought by this rule that may be on the way at a time"),
  perBurst: z
    .number()
    .int()
    .min(1)
    .max(32)
    .default(1)
    .describe("machines bought together: they come and go as one, which saves runs of the engine, not money"),
});
export type BurstRule = z.infer<typeof burstRule>;

export const burstBudget = z.object({
  perHour: caps.perHour.describe("USD/hour: the sum of the prices of what runs"),
  perDay: caps.perDay.describe("USD in a calendar day of the zone"),
  perMonth: caps.perMonth.describe("USD in a calendar month of the zone"),
  zone: z.string().describe("the time zone whose days and months are meant, e.g. Europe/Berlin"),
});
export type BurstBudget = z.infer<typeof burstBudget>;

/** What the planner goes by: times in ms, money in USD. */
export const burstPolicy = z.object({
  rules: z.array(burstRule).min(1).max(32).describe("the first that holds for a job counts"),
  maxNodes: z.number().int().nonnegative().describe("machines that may be bought or on the way at a time; what is leaked counts"),
  budget: burstBudget,
  retire: z.object({
    idleForMs: durationMs.describe("a machine without tasks for so long goes"),
    minimumLifeMs: durationMs.describe(
      "none goes for idleness before it was live so long, and none is bought that the budget can't keep so long",
    ),
    drainDeadlineMs: durationMs.describe("tasks on a machine that must go have so long to finish"),
  }),
  retryAfterMs: durationMs.default(300_000).describe("an offer whose launch has failed is not tried again for so long"),
  expireAfterMs: z.number().int().positive().default(1_800_000).describe("a machine that hears of no master for so long ends itself"),
});
export type BurstPolicy = z.infer<typeof burstPolicy>;

const writtenRule = z
  .strictObject({
    when: z
      .strictObject({
        pendingFor: durationQuantity.prefault("30s").describe("how long a job must have waited: 30s"),
        priorityAtLeast: priority.default(0).describe("the lowest priority it holds for, 0–100"),
      })
      .prefault({}),
    use: use.default("cheapest").describe("cheapest, or burst pools in the order in which they are tried"),
    maxParallel: z.number().int().min(1).max(1000).default(4).describe("machines of this rule that may be on the way at a time"),
    perBurst: z.number().int().min(1).max(32).default(1).describe("machines bought together, which come and go as one"),
  })
  .transform(({ when, ...rule }): BurstRule => ({ pendingForMs: when.pendingFor, priorityAtLeast: when.priorityAtLeast, ...rule }));

const writtenBudget = z
  .strictObject({
    perHour: caps.perHour.describe("USD/hour: the sum of the prices of what runs"),
    perDay: caps.perDay.describe("USD in a calendar day"),
    perMonth: caps.perMonth.describe("USD in a calendar month"),
    zone: z
      .string()
      .refine(isTimeZone, { error: ({ input }) => `there is no time zone "${String(input)}"; write one like Europe/Berlin or UTC` })
      .default("UTC")
      .describe("the time zone whose days and months are meant"),
  })
  .refine(({ perHour, perDay, perMonth }) => perHour !== undefined || perDay !== undefined || perMonth !== undefined, {
    message: "write at least one of perHour, perDay and perMonth (in USD): bursts are never bought without a cap",
  });

const writtenRetire = z
  .strictObject({
    idleFor: durationQuantity.prefault("5m").describe("a machine without tasks for so long goes"),
    minimumLife: durationQuantity.prefault("1m").describe("none goes for idleness before it has lived so long"),
    drainDeadline: durationQuantity.prefault("5m").describe("tasks on a machine that must go have so long to finish"),
  })
  .transform(({ idleFor, minimumLife, drainDeadline }): BurstPolicy["retire"] => ({
    idleForMs: idleFor,
    minimumLifeMs: minimumLife,
    drainDeadlineMs: drainDeadline,
  }));

/** zod: the policy as a person writes it → a `BurstPolicy`. The fields are apart, since the burst pools stand beside them. */
export const burstPolicyFields = {
  rules: z
    .array(writtenRule)
    .min(1, "there must be at least one rule")
    .max(32)
    .prefault([{}])
    .describe("the first that holds for a job counts"),
  maxNodes: z.number().int().min(0).max(10_000).describe("machines that may be bought or on the way at a time; what is leaked counts"),
  budget: writtenBudget.describe("what bursts may cost at most, in USD"),
  retire: writtenRetire.prefault({}).describe("when a machine that was bought goes again"),
  retryAfter: durationQuantity.prefault("5m").describe("an offer whose launch has failed is not tried again for so long"),
  expireAfter: durationQuantity.prefault("30m").describe("a machine that hears of no master for so long ends itself"),
};

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en-US", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}
