/** The first row of a burst: what was decided, before anything is bought. */
import type { BurstRow } from "../../contract/ledger.ts";
import type { LaunchDecision } from "../../contract/plan.ts";
import type { BurstPolicy } from "../../contract/policy.ts";
import { heldFor } from "./held.ts";
import type { PlanOptions } from "./options.ts";

/** `now` is ms since the epoch. What is set aside is what the whole burst may cost without ever being of use. */
export function intentRow(
  launch: LaunchDecision,
  { policy, options, now }: { readonly policy: BurstPolicy; readonly options: PlanOptions; readonly now: number },
): BurstRow {
  const { offer } = launch;
  const row: BurstRow = {
    id: launch.burst,
    state: "intent",
    nodes: launch.nodes,
    offer: offer.id,
    burstPool: offer.burstPool,
    provider: offer.provider,
    market: offer.market,
    shape: offer.shape,
    hourly: launch.hourly,
    committed: 0,
    rule: launch.rule,
    priority: launch.priority,
    for: launch.for,
    reason: launch.reason,
    why: launch.reason,
    launchTimeoutMs: offer.launchTimeoutMs,
    teardownMs: offer.teardownMs,
    expiresAt: launch.expiresAt,
    at: { intent: now },
    joined: {},
    seconds: Object.fromEntries(Object.entries(offer.expectedSeconds).map(([phase, planned]) => [phase, { planned }])),
  };
  return { ...row, committed: heldFor(row, { policy, options, now }) };
}
