/**
 * The bodies of the API of bursts: what the operator's side declares, what the burster takes and reports, what people
 * see. Times are ms since the epoch, money is USD.
 */
import { z } from "zod";
import { budgetView, burstEvent, burstRow } from "./ledger.ts";
import { offer } from "./plan.ts";
import { burstPolicy } from "./policy.ts";

/** Which ledger it is: a new one, made because the old one was lost, has another id. */
export const ledgerIdentity = z.object({ id: z.string(), madeAt: z.number() });
export type LedgerIdentity = z.infer<typeof ledgerIdentity>;

/** What the burster says of itself, every few seconds; one alone is heard at a time. */
export const bursterReport = z.object({
  holder: z.string().max(255).describe("which burster it is; the same one after a restart"),
  host: z.string().max(255),
  pid: z.number().int(),
  version: z.string().max(63),
  offers: z.array(offer).max(1000).describe("all that can be bought now"),
});
export type BursterReport = z.infer<typeof bursterReport>;

/** Who applies plans now. `silent`: it has not been heard of for a while, so nothing is bought. */
export const bursterView = bursterReport.omit({ offers: true }).extend({ seenAt: z.number(), silent: z.boolean() });

export const bursterReply = z.object({
  ledger: ledgerIdentity,
  leaseMs: z.number().int().describe("another one is heard only after so long"),
});
export type BursterReply = z.infer<typeof bursterReply>;

/** What the burster has to do, by the rows' states. */
export const burstWork = z.object({
  revision: z.number().int().describe("of the ledger: give it with the next request, which then waits for a change"),
  ledger: ledgerIdentity,
  rows: z.array(burstRow).describe("all that are not gone"),
});
export type BurstWork = z.infer<typeof burstWork>;

/** A move of one row, from whoever applies it. The others are the master's own. */
export const burstReport = z.object({
  holder: z.string().max(255),
  event: burstEvent.refine(({ type }) => appliersEvents.includes(type), "only the master itself decides that"),
});
const appliersEvents: readonly string[] = ["launch", "launched", "fail", "time", "retire", "gone", "leak"];

/** Something the burster has done or found, for the journal. */
export const burstTelling = z.object({
  holder: z.string().max(255),
  burst: z.string().max(48).optional().describe("which burst it is about; else the environment"),
  kind: z
    .string()
    .max(63)
    .regex(/^burst-[a-z-]+$/),
  message: z.string().max(2000),
  data: z.record(z.string(), z.unknown()).default({}),
});

export const burstPause = z.object({ at: z.number(), reason: z.string().max(500) });
export const pauseRequest = z.object({ reason: z.string().max(500).default("") });

/** `now`: its tasks do not get the drain's time, they are tried again elsewhere. */
export const stopBurstRequest = z.object({ now: z.boolean().default(false), reason: z.string().max(500).default("") });

export const burstView = z.object({
  ledger: ledgerIdentity,
  policy: burstPolicy.optional().describe("none: this environment does not burst"),
  paused: burstPause.optional(),
  blocked: z.string().optional().describe("a sentence: why nothing can be bought now, whatever waits"),
  burster: bursterView.optional().describe("none: none was heard of since this master started"),
  offers: z.array(offer),
  rows: z.array(burstRow).describe("oldest first; those that are gone only when asked for"),
  budget: budgetView,
});
export type BurstView = z.infer<typeof burstView>;

export const cordonRequest = z.object({ reason: z.string().max(500).default("") });
export const drainRequest = z.object({
  reason: z.string().max(500).default(""),
  deadlineMs: z
    .number()
    .int()
    .min(0)
    .max(7 * 86_400_000)
    .default(300_000)
    .describe("its tasks have so long to finish; what still runs then is stopped and tried again elsewhere"),
});
