/**
 * What must be set aside to end a burst. With what it has cost (`costOf`) it never grows but while it is live, as long as
 * a launch is given up at its timeout, a drain ends at its deadline and a destruction in its time, each noticed within
 * the reaction time: so what was within a cap when it was decided stays within it.
 */
import type { BurstRow } from "../../contract/ledger.ts";
import type { BurstPolicy } from "../../contract/policy.ts";
import type { PlanOptions } from "./options.ts";

const hourMs = 3_600_000;

export interface MoneyContext {
  readonly policy: BurstPolicy;
  readonly options: Pick<PlanOptions, "reactionMs">;
  /** ms since the epoch. */
  readonly now: number;
  /** USD of bursts that are over and not among the rows, see `settle`. */
  readonly settled?: { readonly day: number; readonly month: number };
}

/** USD for so long at USD/hour. */
export function cost(hourly: number, durationMs: number): number {
  return hourly * (Math.max(0, durationMs) / hourMs);
}

/** USD it takes from now on to launch it, if that is under way, to drain it and to destroy it. */
export function heldFor(row: BurstRow, { policy, options: { reactionMs }, now }: MoneyContext): number {
  const { hourly, at, launchTimeoutMs, teardownMs } = row;
  const toEndMs = policy.retire.drainDeadlineMs + reactionMs + teardownMs;
  switch (row.state) {
    case "intent":
      return cost(hourly, launchTimeoutMs + reactionMs + toEndMs);
    case "launching":
      return cost(hourly, Math.max(0, (at.launching ?? now) + launchTimeoutMs + reactionMs - now) + toEndMs);
    case "live":
      return cost(hourly, toEndMs);
    case "draining":
      return cost(hourly, Math.max(0, (row.drain?.deadline ?? now) + reactionMs - now) + teardownMs);
    case "retiring":
      return cost(hourly, (at.retiring ?? now) + teardownMs - now);
    case "gone":
    case "leaked":
      break;
  }
  return 0;
}
