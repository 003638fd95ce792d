/**
 * The burster as the master knows it: one alone is heard at a time, and what it offers counts only while it is heard.
 * Kept in memory: whoever applies plans says so every few seconds.
 */
import { isDeepStrictEqual } from "node:util";
import type { BursterReply, BursterReport, BurstView } from "../../contract/burst-api.ts";
import { SpillwayError } from "../../contract/errors.ts";
import type { Offer } from "../../contract/plan.ts";
import { formatDuration } from "../../contract/quantities.ts";
import { assertWritable, type Leader, tell } from "../leader.ts";
import type { HeardBurster } from "./bursting.ts";
import { ledgerIdentityOf } from "./ledger-identity.ts";

/** A burster that was not heard of for so long applies nothing, and another one may. */
export const leaseMs = 30_000;

/** Throws a SpillwayError `burster-held` while another one is heard. */
export async function heardBurster(leader: Leader, report: BursterReport): Promise<BursterReply> {
  assertWritable(leader);
  assertHolder(leader, report.holder);
  const { bursting, clock } = leader;
  const before = bursting.burster;
  const wasSilent = before === undefined || isSilent(leader, before);
  bursting.burster = { report, seenAt: clock.now(), heardAt: clock.monotonic() };
  const isAnother = before === undefined || before.report.holder !== report.holder || before.report.pid !== report.pid;
  if (isAnother || wasSilent) {
    tell(leader, {
      kind: "burst-burster-heard",
      subject: "environment",
      message: `The burster on ${report.host} (process ${report.pid}, ${report.version}) applies what is decided; it offers ${report.offers.length} types of machines`,
      data: { holder: report.holder, host: report.host, pid: report.pid, version: report.version },
    });
  }
  if (wasSilent || !isDeepStrictEqual(before.report.offers, report.offers)) bursting.requestPlan();
  const ledger = ledgerIdentityOf(leader);
  await leader.writer.settled();
  return { ledger, leaseMs };
}

/** Throws a SpillwayError `burster-held` while another burster is heard. */
export function assertHolder(leader: Leader, holder: string): void {
  const heard = leader.bursting.burster;
  if (heard === undefined || heard.report.holder === holder || isSilent(leader, heard)) return;
  const { host, pid } = heard.report;
  throw new SpillwayError(`another burster applies what this master decides: process ${pid} on ${host}`, {
    code: "burster-held",
    hint: `It was heard ${formatDuration(leader.clock.monotonic() - heard.heardAt)} ago. Stop it there; ${formatDuration(leaseMs)} later another one is heard.`,
  });
}

/** What can be bought now: nothing while no burster is heard. */
export function offersOf(leader: Leader): readonly Offer[] {
  const heard = leader.bursting.burster;
  return heard === undefined || isSilent(leader, heard) ? [] : heard.report.offers;
}

/** A sentence: why nothing can be bought now, whatever waits; undefined when something can. */
export function blockedBy(leader: Leader): string | undefined {
  const { pool, bursting } = leader;
  if (pool.closing !== undefined) return `the environment is closing (${pool.closing.reason})`;
  if (pool.burstPolicy === undefined) return "this environment has no burst policy";
  if (pool.burstPause !== undefined) return `bursts are paused${pool.burstPause.reason === "" ? "" : `: ${pool.burstPause.reason}`}`;
  if (bursting.burster === undefined) return "no burster was heard of since the master started";
  if (isSilent(leader, bursting.burster)) return `the burster on ${bursting.burster.report.host} is not heard of any more`;
  return undefined;
}

export function bursterViewOf(leader: Leader): BurstView["burster"] {
  const heard = leader.bursting.burster;
  if (heard === undefined) return undefined;
  const { offers: _, ...report } = heard.report;
  return { ...report, seenAt: heard.seenAt, silent: isSilent(leader, heard) };
}

/** Tells once when the burster is not heard of any more. */
export function watchBurster(leader: Leader): void {
  const heard = leader.bursting.burster;
  if (heard === undefined || heard.toldSilent || !isSilent(leader, heard)) return;
  leader.bursting.burster = { ...heard, toldSilent: true };
  tell(leader, {
    kind: "burst-burster-silent",
    subject: "environment",
    message: `The burster on ${heard.report.host} (process ${heard.report.pid}) was not heard of for ${formatDuration(leaseMs)}: nothing is bought or given back until it is back`,
    data: { host: heard.report.host, pid: heard.report.pid, seenAt: heard.seenAt },
  });
}

function isSilent(leader: Leader, { heardAt }: HeardBurster): boolean {
  return leader.clock.monotonic() - heardAt >= leaseMs;
}
