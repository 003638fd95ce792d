/** What goes whatever is planned: everything when the environment closes, and all that is not at work when there is no policy any more. */
import { SpillwayError } from "../../contract/errors.ts";
import type { BurstEvent, BurstRow } from "../../contract/ledger.ts";
import type { Leader } from "../leader.ts";
import { move } from "./ledger.ts";
import { policyOf } from "./snapshot.ts";

/**
 * Resolves when all of it is durable. Done again whenever there may be something left: after a restart, at each plan.
 * `drainDeadlineMs`: what tasks have to finish, by the policy that there was.
 */
export async function windDown(leader: Leader, drainDeadlineMs = policyOf(leader).retire.drainDeadlineMs): Promise<void> {
  const moves: Promise<BurstRow>[] = [];
  for (const row of leader.pool.bursts.values()) {
    const event = endingOf(leader, row, drainDeadlineMs);
    if (event !== undefined) moves.push(move(leader, row.id, event));
  }
  for (const result of await Promise.allSettled(moves)) {
    if (result.status === "rejected" && !isRefusal(result.reason)) throw result.reason;
  }
}

function endingOf(leader: Leader, { state, drain }: BurstRow, drainDeadlineMs: number): BurstEvent | undefined {
  const { closing, burstPolicy } = leader.pool;
  if (closing === undefined && burstPolicy !== undefined) return undefined;
  const reason = closing === undefined ? "this environment does not burst any more" : `the environment is closing (${closing.reason})`;
  if (state === "intent") return { type: "withdraw", reason };
  const cause = closing === undefined ? "operator" : "closing";
  if (state === "launching") return { type: "retire", cause, reason };
  if (closing !== undefined) return state === "live" || state === "draining" ? { type: "retire", cause, reason } : undefined;
  if (state !== "live" && (state !== "draining" || drain?.cause === "operator")) return undefined;
  return { type: "drain", cause: "operator", deadline: leader.clock.now() + drainDeadlineMs, reason };
}

function isRefusal(error: unknown): boolean {
  return error instanceof SpillwayError && error.code === "ledger-refused";
}
