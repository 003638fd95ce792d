/**
 * The ledger of bursts: one row for each, durable before anything is bought, and the only moves it may make.
 * Money is USD, prices are USD/hour for all machines of the burst, times are ms since the epoch.
 */
import { z } from "zod";
import { resources } from "./resources.ts";

/** intent → launching → live ⇄ draining → retiring → gone | leaked. What is leaked could not be destroyed and still costs. */
export const burstState = z.enum(["intent", "launching", "live", "draining", "retiring", "gone", "leaked"]);
export type BurstState = z.infer<typeof burstState>;

/** Why a burst is drained. What was drained for idleness or for the budget may be wanted again; the operator's word stands. */
export const drainCause = z.enum(["idle", "budget", "operator"]);
export type DrainCause = z.infer<typeof drainCause>;

/**
 * By whose word a burst was retired: the plan's (its drain is over, or nobody can reach its nodes any more), the operator's, the
 * teardown's, or since whoever applies plans has found a machine of it off or gone.
 */
export const retireCause = z.enum(["plan", "operator", "closing", "lost-machine"]);
export type RetireCause = z.infer<typeof retireCause>;

/** The parts of a launch whose time is told: planned beside actual. */
export const launchPhase = z.enum(["create", "boot", "ssh", "agent", "join"]);
export type LaunchPhase = z.infer<typeof launchPhase>;

/** Spot machines may be taken away again by the provider. */
export const market = z.enum(["spot", "on-demand"]);

/** Tasks of a job that a burst is for. */
export const burstFor = z.object({ job: z.string(), tasks: z.number().int().positive() });

/**
 * Why a cloud did not sell what was to be bought, as far as it says: it has none there, the account's limit, asked too often,
 * who asks is unknown or may not, the image does not exist there.
 */
export const launchProblem = z.enum(["no-capacity", "quota", "throttled", "credentials", "not-allowed", "image-gone"]);
export type LaunchProblem = z.infer<typeof launchProblem>;

export const burstRow = z.object({
  id: z.string().max(48).describe("e.g. b-tm4k2c"),
  state: burstState,
  nodes: z.array(z.string().max(63)).min(1).describe("ids of its nodes; a list, never a count"),
  offer: z.string().describe("what was bought"),
  burstPool: z.string().describe("also the node pool of its nodes"),
  provider: z.string(),
  market,
  shape: resources.describe("what tasks may use of one of its machines"),
  hourly: z.number().nonnegative().describe("USD/hour, all its machines"),
  committed: z.number().nonnegative().describe("USD that were set aside for it when it was decided"),
  rule: z.number().int().min(1).describe("the rule that bought it; the first is 1"),
  priority: z.number().int().describe("the highest priority it was bought for"),
  for: z.array(burstFor).describe("what it was bought for"),
  reason: z.string().describe("a sentence: why it was bought"),
  why: z.string().describe("a sentence: why it is in its state"),
  launchTimeoutMs: z.number().int().positive(),
  teardownMs: z.number().int().nonnegative().describe("how long its destruction takes at most"),
  expiresAt: z.number().describe("its machines end themselves then, unless a master extends it"),
  at: z.partialRecord(burstState, z.number()).describe("when it came into each state; `live`: the first time, others: the last"),
  joined: z.record(z.string(), z.number()).describe("when each of its nodes has joined"),
  usedAt: z.number().optional().describe("when it got its first task"),
  drain: z.object({ cause: drainCause, deadline: z.number() }).optional().describe("while it is draining, and why it was"),
  failure: z.string().optional().describe("a sentence: why its launch came to nothing"),
  problem: launchProblem.optional().describe("what its launch came to nothing by, where its cloud says so"),
  retired: retireCause.optional().describe("by whose word it was retired"),
  seconds: z
    .partialRecord(launchPhase, z.object({ planned: z.number().optional(), actual: z.number().optional() }))
    .describe("how long each part of the launch took"),
});
export type BurstRow = z.infer<typeof burstRow>;

export const burstEvent = z.discriminatedUnion("type", [
  z.object({ type: z.literal("launch") }).describe("the applier begins: from here on it may cost"),
  z.object({ type: z.literal("withdraw"), reason: z.string() }).describe("nothing was bought, and nothing will be"),
  z.object({ type: z.literal("launched") }).describe("all its machines are there"),
  z
    .object({ type: z.literal("fail"), reason: z.string(), problem: launchProblem.optional() })
    .describe("the offer came to nothing: what is there is destroyed"),
  z.object({ type: z.literal("time"), phase: launchPhase, seconds: z.number().nonnegative() }),
  z.object({ type: z.literal("join"), node: z.string() }),
  z.object({ type: z.literal("use") }).describe("it got a task"),
  z.object({ type: z.literal("extend"), expiresAt: z.number() }),
  z.object({ type: z.literal("drain"), cause: drainCause, deadline: z.number(), reason: z.string() }),
  z.object({ type: z.literal("uncordon"), reason: z.string() }).describe("it takes tasks again"),
  z
    .object({ type: z.literal("retire"), reason: z.string(), cause: retireCause.optional().describe("the master knows it") })
    .describe("its machines are destroyed"),
  z.object({ type: z.literal("gone") }).describe("the provider says that nothing of it is left"),
  z.object({ type: z.literal("leak"), reason: z.string() }).describe("it can't be destroyed"),
]);
export type BurstEvent = z.infer<typeof burstEvent>;

/** Every move a row may make, by its state; what is not here is refused. */
export const burstMoves: Readonly<Record<BurstState, Readonly<Partial<Record<BurstEvent["type"], BurstState>>>>> = {
  intent: { launch: "launching", withdraw: "gone" },
  launching: {
    launched: "live",
    fail: "retiring",
    retire: "retiring",
    time: "launching",
    join: "launching",
    use: "launching",
    extend: "launching",
  },
  live: { drain: "draining", retire: "retiring", fail: "retiring", time: "live", join: "live", use: "live", extend: "live" },
  draining: { drain: "draining", uncordon: "live", retire: "retiring", join: "draining", use: "draining", extend: "draining" },
  retiring: { gone: "gone", leak: "leaked" },
  leaked: { gone: "gone", leak: "leaked" },
  gone: {},
};

const hourMs = 3_600_000;

/**
 * USD that a burst has cost from `since` to `now` (ms since the epoch), counted from its launch until nothing of it was
 * left. What it costs from the moment it is leaked is counted apart.
 */
export function costOf(
  { hourly, at }: Pick<BurstRow, "hourly" | "at">,
  now: number,
  since = 0,
): { readonly spent: number; readonly leaked: number } {
  const between = (from: number | undefined, to: number) =>
    from === undefined ? 0 : (hourly * Math.max(0, Math.min(to, now) - Math.max(from, since))) / hourMs;
  return { spent: between(at.launching, at.leaked ?? at.gone ?? now), leaked: between(at.leaked, at.gone ?? now) };
}

/** Money of bursts at one moment. `hour` is a rate (USD/hour), day and month are USD. */
export const budgetWindow = z.object({
  window: z.enum(["hour", "day", "month"]),
  since: z.number().describe("when the window began; for the hour: now"),
  cap: z.number().optional().describe("none: it is not limited"),
  spent: z.number().describe("for the hour: the rate of what runs"),
  committed: z.number().describe("spent, and what it takes to end all that runs or is on its way"),
  warning: z.boolean().describe("80 % of the cap are reached"),
});
export type BudgetWindow = z.infer<typeof budgetWindow>;

export const budgetView = z.object({
  windows: z.array(budgetWindow),
  leaked: z
    .object({ bursts: z.array(z.string()), hourly: z.number(), spent: z.number() })
    .describe("counted apart: what can't be destroyed, its USD/hour, and what leaks of this month have cost since they leaked"),
});
export type BudgetView = z.infer<typeof budgetView>;
