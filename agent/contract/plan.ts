/** What can be bought, and what the master proposes to buy, keep and give back, with its reasons. Money is USD, times are ms. */
import { z } from "zod";
import { budgetView, burstFor, drainCause, launchPhase, market } from "./ledger.ts";
import { resources } from "./resources.ts";
import { resourceName } from "./workload.ts";

const usd = z.number().nonnegative();

/** One buyable type of machine in one place. */
export const offer = z.object({
  id: z.string().min(1).max(255).describe("unique, and the same each time: aws/eu-central-1b/r7i.xlarge/spot"),
  burstPool: resourceName.describe("the burst pool it belongs to; also the node pool of its nodes"),
  provider: z.string().max(63),
  instanceType: z.string().max(63).optional(),
  region: z.string().max(63).optional(),
  zone: z.string().max(63).optional(),
  market,
  shape: resources.describe("what tasks may use of one machine, less than what the provider sells"),
  price: z.object({ machine: usd, disk: usd, address: usd }).describe("USD/hour of each part"),
  reclaimed: z.number().min(0).max(1).optional().describe("share of such machines that the cloud takes back, at the least"),
  pretend: z.boolean().default(false).describe("the price is made up: nobody is billed"),
  maxNodes: z.number().int().nonnegative().optional().describe("machines of it that may exist at a time"),
  launchTimeoutMs: z.number().int().positive().describe("a launch that takes longer has failed"),
  teardownMs: z.number().int().nonnegative().describe("how long a destruction takes at most"),
  expectedSeconds: z
    .partialRecord(launchPhase, z.number().nonnegative())
    .default({})
    .describe("how long each part of a launch usually takes"),
});
export type Offer = z.infer<typeof offer>;

/** USD/hour of one machine: the machine, its disk and its address. */
export function hourlyOf({ price }: Pick<Offer, "price">): number {
  return price.machine + price.disk + price.address;
}

/**
 * USD/hour at which offers are compared, not billed: what is taken back in a tenth of all cases does a tenth of its work again, at
 * the least. So a machine that is there to stay wins as long as it is not much dearer.
 */
export function comparedHourly(one: Pick<Offer, "price" | "reclaimed">): number {
  return hourlyOf(one) * (1 + (one.reclaimed ?? 0));
}

export const launchDecision = z.object({
  burst: z.string(),
  nodes: z.array(z.string()).min(1).describe("ids of the nodes to make; a list, never a count"),
  offer,
  hourly: usd.describe("USD/hour, all its machines"),
  rule: z.number().int().min(1).describe("the rule that allows it; the first is 1"),
  priority: z.number().int().describe("the highest priority it is for"),
  for: z.array(burstFor),
  reason: z.string(),
  expiresAt: z.number(),
});
export type LaunchDecision = z.infer<typeof launchDecision>;

/**
 * `withdraw` an intent, `drain` (cordon first) and `uncordon` a live one, `delete` what is drained or whose nodes nobody can
 * reach any more, or `give-up` one whose nodes never joined.
 */
export const retireDecision = z.object({
  burst: z.string(),
  action: z.enum(["withdraw", "drain", "uncordon", "delete", "give-up"]),
  cause: drainCause.optional().describe("of a drain"),
  deadline: z.number().optional().describe("of a drain"),
  reason: z.string(),
});
export type RetireDecision = z.infer<typeof retireDecision>;

/** An offer that was looked at for a job. */
export const candidate = z.object({
  offer: z.string(),
  burstPool: z.string(),
  hourly: usd.describe("USD/hour of one machine"),
  reclaimed: z.number().optional().describe("share of such machines that the cloud takes back, at the least"),
  fits: z.number().int().optional().describe("waiting tasks that one machine would take; left out when that no longer mattered"),
  hourlyPerTask: usd.optional().describe("USD/hour for each of those"),
  chosen: z.boolean(),
  rejected: z.string().optional().describe("why it was not chosen"),
});
export type Candidate = z.infer<typeof candidate>;

/** What becomes of a waiting job's tasks. */
export const demandExplanation = z.object({
  job: z.string(),
  tasks: z.number().int().describe("tasks this is about"),
  outcome: z
    .enum(["room", "on-the-way", "uncordon", "launch", "not-yet", "refused"])
    .describe("there is room; a burst is on the way; one that drains is kept; one is bought; too early; not possible"),
  rule: z.number().int().optional(),
  bursts: z.array(z.string()),
  reason: z.string(),
  candidates: z.array(candidate).describe("every offer that was looked at"),
});
export type DemandExplanation = z.infer<typeof demandExplanation>;

export const burstPlan = z.object({
  launch: z.array(launchDecision),
  retire: z.array(retireDecision),
  explain: z.object({
    demands: z.array(demandExplanation).describe("at most so many as the planner's bound, the first in the order of placement"),
    bursts: z.array(z.object({ burst: z.string(), reason: z.string() })).describe("why each burst stays or goes"),
    budget: budgetView.describe("as it is before the plan is applied"),
  }),
});
export type BurstPlan = z.infer<typeof burstPlan>;
