/** What the burster says of a row: each move is looked at again here, durable before it is answered. */

import type { z } from "zod";
import type { burstReport, burstTelling } from "../../contract/burst-api.ts";
import { SpillwayError } from "../../contract/errors.ts";
import type { BurstEvent, BurstRow, BurstState } from "../../contract/ledger.ts";
import { assertWritable, type Leader, tell } from "../leader.ts";
import { refused } from "./advance.ts";
import { assertHolder, blockedBy, leaseMs, offersOf } from "./burster.ts";
import { burstRowOf, move } from "./ledger.ts";
import { planDefaults } from "./options.ts";
import { launchRefusal } from "./revalidate.ts";
import { policyOf, rowsThatMatter } from "./snapshot.ts";

type Report = z.infer<typeof burstReport>;

/**
 * Resolves with the row when the move is durable. The same report again, after an answer that was lost, is answered with
 * the row as it is. Throws `not-found`, `burster-held`, `ledger-refused`, or `launch-refused`: then the intent was withdrawn.
 */
export async function takeBurstReport(leader: Leader, id: string, { holder, event }: Report): Promise<BurstRow> {
  assertWritable(leader);
  assertHolder(leader, holder);
  const row = burstRowOf(leader, id);
  if (repeats[event.type] === row.state) {
    await leader.writer.settled();
    return row;
  }
  if (event.type === "launch") await assertLaunch(leader, row, holder);
  // A launch that is over can't fail: nodes have joined meanwhile, and a late word must not destroy them.
  if (event.type === "fail" && row.state !== "launching") throw refused(row, `a burst in the state ${row.state} can't fail to launch`);
  return move(leader, id, event.type === "retire" ? { ...event, cause: "lost-machine" } : event);
}

/** Where a row is when this was reported before. */
const repeats: Partial<Record<BurstEvent["type"], BurstState>> = {
  launch: "launching",
  launched: "live",
  fail: "retiring",
  retire: "retiring",
  gone: "gone",
};

/** The last word before money is spent: by the policy, offers, prices and budget of this moment. */
async function assertLaunch(leader: Leader, row: BurstRow, holder: string): Promise<void> {
  if (leader.bursting.burster?.report.holder !== holder) {
    throw new SpillwayError("this burster has not reported itself, so nothing is bought by it", {
      code: "burster-held",
      where: `burst/${row.id}`,
      hint: `It reports itself every few seconds; one alone is heard for ${leaseMs / 1000} s.`,
    });
  }
  if (row.state !== "intent") return;
  const present = {
    rows: rowsThatMatter(leader),
    offers: offersOf(leader),
    policy: policyOf(leader),
    options: planDefaults,
    now: leader.clock.now(),
    paused: blockedBy(leader),
  };
  const reason = launchRefusal(row, present);
  if (reason === undefined) return;
  await move(leader, row.id, { type: "withdraw", reason });
  throw new SpillwayError(`it is not launched: ${reason}`, {
    code: "launch-refused",
    where: `burst/${row.id}`,
    hint: "Nothing was bought; the intent is withdrawn, and the next plan decides anew.",
  });
}

/** Something the burster has done or found, for the journal. Throws `burster-held`. */
export function takeTelling(leader: Leader, { holder, burst, kind, message, data }: z.infer<typeof burstTelling>): void {
  assertWritable(leader);
  assertHolder(leader, holder);
  tell(leader, { kind, subject: burst === undefined ? "environment" : `burst/${burst}`, message, data });
}
