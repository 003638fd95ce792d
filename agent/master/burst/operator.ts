/** What the operator says of bursts: the policy, a pause, the end of one burst. All of it outlives a restart. */
import { isDeepStrictEqual } from "node:util";
import type { z } from "zod";
import type { stopBurstRequest } from "../../contract/burst-api.ts";
import { startOfDay } from "../../contract/calendar.ts";
import { SpillwayError } from "../../contract/errors.ts";
import type { BurstRow } from "../../contract/ledger.ts";
import type { BurstPolicy } from "../../contract/policy.ts";
import { assertWritable, type Leader, tell } from "../leader.ts";
import { burstPauseKey, burstPolicyKey } from "../pool/records.ts";
import { count } from "../pool/views.ts";
import { burstRowOf, ledgerChanged, move } from "./ledger.ts";
import { policyOf } from "./snapshot.ts";
import { windDown } from "./wind-down.ts";

/** Resolves when it is durable; the same one again changes nothing. Throws `invalid-request` for a time zone that is none. */
export async function setPolicy(leader: Leader, policy: BurstPolicy): Promise<void> {
  assertWritable(leader);
  assertZone(policy.budget.zone);
  const before = leader.pool.burstPolicy;
  if (isDeepStrictEqual(before, policy)) return leader.writer.settled();
  leader.pool.burstPolicy = policy;
  await leader.writer.write("store.commit.meta", [{ put: { key: burstPolicyKey, value: policy } }]);
  tell(leader, {
    kind: "burst-policy",
    subject: "environment",
    message:
      before === undefined
        ? `This environment bursts: up to ${count(policy.maxNodes, "machine")}, by ${count(policy.rules.length, "rule")}`
        : "The burst policy was changed",
    data: { policy },
  });
  ledgerChanged(leader);
}

/** From then on nothing is bought, and what was bought drains and goes. Resolves when that is durable. */
export async function removePolicy(leader: Leader): Promise<void> {
  assertWritable(leader);
  const before = leader.pool.burstPolicy;
  if (before === undefined) return leader.writer.settled();
  leader.pool.burstPolicy = undefined;
  await leader.writer.write("store.commit.meta", [{ delete: burstPolicyKey }]);
  tell(leader, {
    kind: "burst-policy",
    subject: "environment",
    message: "This environment does not burst any more: nothing is bought, and what was bought goes when its tasks have ended",
  });
  await windDown(leader, before.retire.drainDeadlineMs);
  ledgerChanged(leader);
}

/** Launches stop at once, intents too; what is live stays. Resolves when it is durable. */
export async function pauseBursts(leader: Leader, reason: string): Promise<void> {
  assertWritable(leader);
  const before = leader.pool.burstPause;
  const pause = { at: before?.at ?? leader.clock.now(), reason };
  if (isDeepStrictEqual(before, pause)) return leader.writer.settled();
  leader.pool.burstPause = pause;
  await leader.writer.write("store.commit.meta", [{ put: { key: burstPauseKey, value: pause } }]);
  const running = [...leader.pool.bursts.values()].filter(({ state }) => state === "launching" || state === "live" || state === "draining");
  tell(leader, {
    kind: "burst-paused",
    subject: "environment",
    message: `Bursts are paused${reason === "" ? "" : ` (${reason})`}: nothing is bought; ${count(running.length, "burst")} ${running.length === 1 ? "stays" : "stay"} as planned`,
    data: { reason, running: running.map(({ id }) => id), hourly: running.reduce((sum, { hourly }) => sum + hourly, 0) },
  });
  ledgerChanged(leader);
}

export async function resumeBursts(leader: Leader): Promise<void> {
  assertWritable(leader);
  if (leader.pool.burstPause === undefined) return leader.writer.settled();
  leader.pool.burstPause = undefined;
  await leader.writer.write("store.commit.meta", [{ delete: burstPauseKey }]);
  tell(leader, { kind: "burst-resumed", subject: "environment", message: "Bursts are no longer paused" });
  ledgerChanged(leader);
}

/**
 * Ends one burst: an intent is withdrawn, a launch is undone, a live one drains first unless it is to go `now`. Nothing
 * happens to one that is on its way out. Throws `not-found`, or `ledger-refused` for one that is leaked.
 */
export async function stopBurst(leader: Leader, id: string, request: z.infer<typeof stopBurstRequest>): Promise<BurstRow> {
  assertWritable(leader);
  const row = burstRowOf(leader, id);
  const reason = request.reason === "" ? "stopped by the operator" : `stopped by the operator: ${request.reason}`;
  switch (row.state) {
    case "intent":
      return move(leader, id, { type: "withdraw", reason });
    case "launching":
      return move(leader, id, { type: "retire", cause: "operator", reason });
    case "live":
    case "draining": {
      if (request.now) return move(leader, id, { type: "retire", cause: "operator", reason });
      const deadline = leader.clock.now() + policyOf(leader).retire.drainDeadlineMs;
      return move(leader, id, { type: "drain", cause: "operator", deadline, reason });
    }
    case "leaked":
      throw new SpillwayError(`a burst that is leaked can't be stopped: ${row.why}`, {
        code: "ledger-refused",
        where: `burst/${id}`,
        hint: "Try again to destroy what is left of it: spillway fsck --fix",
      });
    case "retiring":
    case "gone":
      break;
  }
  await leader.writer.settled();
  return row;
}

function assertZone(zone: string): void {
  try {
    startOfDay(0, zone);
  } catch (cause) {
    throw new SpillwayError(`budget.zone: there is no time zone "${zone}"`, {
      code: "invalid-request",
      hint: "Write one like Europe/Berlin or UTC.",
      cause,
    });
  }
}
