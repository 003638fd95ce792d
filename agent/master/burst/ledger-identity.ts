/** Which ledger this is: made once for each store, so that one that was lost and begun anew is told from the one before. */
import { randomUUID } from "node:crypto";
import type { LedgerIdentity } from "../../contract/burst-api.ts";
import { assertWritable, inBackground, type Leader } from "../leader.ts";
import { ledgerKey } from "../pool/records.ts";

/** To be told only when the writer has settled: the first time it is made here. */
export function ledgerIdentityOf(leader: Leader): LedgerIdentity {
  const known = leader.pool.ledger;
  if (known !== undefined) return known;
  assertWritable(leader);
  const made: LedgerIdentity = { id: randomUUID(), madeAt: leader.clock.now() };
  leader.pool.ledger = made;
  inBackground(leader, "ledger", () => leader.writer.write("store.commit.meta", [{ put: { key: ledgerKey, value: made } }]));
  return made;
}
