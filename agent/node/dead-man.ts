/**
 * For how long no master has welcomed this node, and when that is too long. Pure. While the agent runs, silence is measured
 * on the clock that never jumps, and what was measured is kept in a file. The wall clock only bridges the time in which no
 * agent ran, and is believed in part: backward counts as no time at all (what was measured before stays), forward leaves
 * a grace in which a living master can welcome the node.
 */
import { z } from "zod";

/** Kept over restarts of the agent. */
export const keptSilence = z.object({
  silentMs: z.number().nonnegative().describe("measured when this was written; 0 while a master is heard"),
  writtenAt: z.number().describe("ms since the epoch, this host's clock"),
});
export type KeptSilence = z.infer<typeof keptSilence>;

const longestGraceMs = 60_000;
const longestRefreshMs = 10_000;

/** Whether nobody is left who could want this node. */
export function isForsaken(silentMs: number, silenceMs: number): boolean {
  return silentMs >= silenceMs;
}

/** After a time in which it could hear nobody (no agent ran, or it was stopped), a living master has at least so long to welcome it. */
export function graceOf(silenceMs: number): number {
  return Math.min(longestGraceMs, silenceMs / 4);
}

/** How old what is kept may become. */
export function refreshOf(silenceMs: number): number {
  return Math.min(longestRefreshMs, silenceMs / 10);
}

/** The silence after a gap of so many ms, by a clock that may have jumped: it never passes the grace by itself. */
export function afterGap(silentMs: number, gapMs: number, silenceMs: number): number {
  const most = Math.max(silentMs, silenceMs - graceOf(silenceMs));
  return Math.min(silentMs + Math.max(0, gapMs), most);
}

/**
 * The silence an agent starts with at `now` (ms since the epoch). Each start costs a tenth of the grace, whatever the clock
 * says: an agent that is started again and again, and never welcomed, does not begin anew each time.
 */
export function silenceAtStart(kept: KeptSilence | undefined, now: number, silenceMs: number): number {
  if (kept === undefined) return 0;
  return afterGap(kept.silentMs, now - kept.writtenAt, silenceMs) + graceOf(silenceMs) / 10;
}
