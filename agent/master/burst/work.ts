/** What the burster has to do, waited for: the rows that are not gone, as soon as the ledger is another than it knows. */
import type { BurstWork } from "../../contract/burst-api.ts";
import type { Leader } from "../leader.ts";
import { ledgerIdentityOf } from "./ledger-identity.ts";

export const maxWaitMs = 25_000;

/** At once unless `after` is the ledger's present revision; else with the next change, after `waitMs`, or when the master shuts down. */
export async function burstWork(
  leader: Leader,
  asked: { readonly after?: number | undefined; readonly waitMs: number },
): Promise<BurstWork> {
  if (asked.after === leader.bursting.revision && asked.waitMs > 0) await changed(leader, Math.min(asked.waitMs, maxWaitMs));
  const { bursting, pool } = leader;
  const work = {
    revision: bursting.revision,
    ledger: ledgerIdentityOf(leader),
    rows: [...pool.bursts.values()].filter(({ state }) => state !== "gone"),
  };
  // What is handed out is acted upon: it is durable first.
  await leader.writer.settled();
  return work;
}

async function changed({ bursting, clock, shutdown }: Leader, waitMs: number): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const wake = () => resolve();
  bursting.waiters.add(wake);
  const cancel = clock.after(waitMs, wake);
  shutdown.signal.addEventListener("abort", wake);
  if (shutdown.signal.aborted) wake();
  try {
    await promise;
  } finally {
    cancel();
    bursting.waiters.delete(wake);
    shutdown.signal.removeEventListener("abort", wake);
  }
}
