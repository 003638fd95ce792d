/** Answers "why?" for a burst, and says of a job that waits what the last plan made of it. */
import { type BurstRow, costOf, type LaunchPhase, launchPhase } from "../../contract/ledger.ts";
import type { DemandExplanation } from "../../contract/plan.ts";
import { formatDuration, formatUsd } from "../../contract/quantities.ts";
import type { Leader } from "../leader.ts";
import type { PoolJob } from "../pool/pool.ts";
import { count } from "../pool/views.ts";
import { burstRowOf } from "./ledger.ts";

const maxJobsNamed = 3;

/** The id in `burst/b-x`, `burst-b-x` or `b-x`; undefined when it names no burst. */
export function burstIdOf(subject: string): string | undefined {
  return /^(?:burst[/-])?(b-[a-z0-9]+)$/.exec(subject)?.[1] ?? /^burst\/(.+)$/.exec(subject)?.[1];
}

/** A sentence or two. Throws a SpillwayError `not-found`. */
export function explainBurst(leader: Leader, id: string): string {
  const row = burstRowOf(leader, id);
  const now = leader.clock.now();
  const since = row.at[row.state] ?? now;
  const { spent, leaked } = costOf(row, now);
  const parts = [
    `${id} is ${row.state} for ${formatDuration(Math.max(0, now - since))}: ${row.why}`,
    `${count(row.nodes.length, "machine")} of ${row.offer} at ${formatUsd(row.hourly)}/h, bought for ${forText(row)} (rule ${row.rule}, priority ${row.priority})`,
    launchText(row),
    row.at.launching === undefined
      ? "it has cost nothing"
      : `it has cost ${formatUsd(spent)}${leaked > 0 ? `, and ${formatUsd(leaked)} since it leaked` : ""}`,
  ];
  return parts.filter((part) => part !== undefined).join("; ");
}

/** Of several things the last plan says of a job, the one that tells most; undefined when it said nothing, or nothing waits. */
export function explainDemand(leader: Leader, job: PoolJob): DemandExplanation | undefined {
  const { lastPlan } = leader.bursting;
  if (leader.pool.burstPolicy === undefined || lastPlan === undefined || job.counts.pending === 0) return undefined;
  const about = lastPlan.explain.demands.filter((one) => one.job === job.record.id);
  return about.find(({ candidates }) => candidates.length > 0) ?? about.find(({ outcome }) => outcome !== "room") ?? about[0];
}

function forText({ for: jobs }: BurstRow): string {
  const named = jobs.slice(0, maxJobsNamed).map(({ job, tasks }) => `${count(tasks, "task")} of ${job}`);
  const others = jobs.length - named.length;
  return `${named.join(", ")}${others === 0 ? "" : ` and ${count(others, "other job")}`}`;
}

/** `launched in 4.1 s (planned 5 s): boot 2.9 s (planned 3 s) …`; undefined before anything was measured. */
function launchText({ at, seconds }: BurstRow): string | undefined {
  const phases = launchPhase.options.flatMap((phase) => phaseText(phase, seconds[phase]) ?? []);
  const planned = launchPhase.options.reduce((sum, phase) => sum + (seconds[phase]?.planned ?? 0), 0);
  const plannedText = planned === 0 ? "" : ` (planned ${formatDuration(planned * 1000)})`;
  if (at.launching === undefined || at.live === undefined) return phases.length === 0 ? undefined : `so far ${phases.join(", ")}`;
  return `launched in ${formatDuration(at.live - at.launching)}${plannedText}${phases.length === 0 ? "" : `: ${phases.join(", ")}`}`;
}

function phaseText(phase: LaunchPhase, measured: BurstRow["seconds"][LaunchPhase]): string | undefined {
  if (measured?.actual === undefined) return undefined;
  return `${phase} ${formatDuration(measured.actual * 1000)}${measured.planned === undefined ? "" : ` (planned ${formatDuration(measured.planned * 1000)})`}`;
}
