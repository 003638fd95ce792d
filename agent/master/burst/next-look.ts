/** When time alone changes what would be decided: a rule begins to hold, a burst was idle for long enough, a drain is at its end. */
import { planDefaults } from "./options.ts";
import type { PlanInput } from "./plan.ts";
import { silenceLimitMs } from "./retire.ts";
import { ruleFor } from "./rule.ts";

/** ms since the epoch, after `now`; undefined when only changes change it. */
export function nextLook({ pending, policy, ledger, snapshot, now }: PlanInput): number | undefined {
  const moments: number[] = [];
  for (const job of pending) {
    const found = ruleFor(job, policy, now);
    if ("notYet" in found && found.notYet !== undefined) moments.push(job.waitingSince + found.notYet.rule.pendingForMs);
  }
  const silence = silenceLimitMs({ policy, options: planDefaults });
  for (const { burst } of snapshot.nodes) if (burst?.silentSince !== undefined) moments.push(burst.silentSince + silence);
  const idleSince = new Map(snapshot.nodes.map(({ name, burst }) => [name, burst?.idleSince]));
  for (const row of ledger) {
    if (row.state === "draining" && row.drain !== undefined) moments.push(row.drain.deadline);
    if (row.state !== "live" || row.at.live === undefined) continue;
    const idle = row.nodes.map((id) => idleSince.get(id));
    if (idle.includes(undefined)) continue;
    const { idleForMs, minimumLifeMs } = policy.retire;
    moments.push(Math.max(row.at.live + minimumLifeMs, ...idle.map((since = 0) => since + idleForMs)));
  }
  const later = moments.filter((moment) => moment > now);
  return later.length === 0 ? undefined : Math.min(...later);
}
