/** Forgets bursts that ended long ago; their costs are in no window of the budget any more. */
import { inBackground, type Leader } from "../leader.ts";
import { burstKey } from "../pool/records.ts";
import { maxOperations, type Operation } from "../state/store.ts";

/** Two calendar months at least. */
export const keepGoneMs = 62 * 86_400_000;

export function pruneBursts(leader: Leader): void {
  const before = leader.clock.now() - keepGoneMs;
  const deletions: Operation[] = [];
  for (const { id, state, at } of leader.pool.bursts.values()) {
    if (state !== "gone" || (at.gone ?? 0) > before) continue;
    leader.pool.bursts.delete(id);
    deletions.push({ delete: burstKey(id) });
  }
  inBackground(leader, "ledger", async () => {
    for (let first = 0; first < deletions.length; first += maxOperations)
      await leader.writer.write("store.commit.burst", deletions.slice(first, first + maxOperations));
  });
}
