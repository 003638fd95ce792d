/** Bursts as people and programs see them: the rows, the money, who applies plans, and why nothing may be bought. */
import type { BurstView } from "../../contract/burst-api.ts";
import type { Leader } from "../leader.ts";
import { budgetOf } from "./budget.ts";
import { blockedBy, bursterViewOf, offersOf } from "./burster.ts";
import { ledgerIdentityOf } from "./ledger-identity.ts";
import { planDefaults } from "./options.ts";
import { policyOf, rowsThatMatter } from "./snapshot.ts";

/** To be told only when the writer has settled. `all`: also the rows that are gone. */
export function burstViewOf(leader: Leader, { all }: { readonly all: boolean }): BurstView {
  const { pool, clock } = leader;
  const blocked = blockedBy(leader);
  const burster = bursterViewOf(leader);
  const policy = policyOf(leader);
  return {
    ledger: ledgerIdentityOf(leader),
    ...(pool.burstPolicy === undefined ? {} : { policy: pool.burstPolicy }),
    ...(pool.burstPause === undefined ? {} : { paused: pool.burstPause }),
    ...(blocked === undefined ? {} : { blocked }),
    ...(burster === undefined ? {} : { burster }),
    offers: [...offersOf(leader)],
    rows: [...pool.bursts.values()].filter(({ state }) => all || state !== "gone"),
    budget: budgetOf(rowsThatMatter(leader), { policy, options: planDefaults, now: clock.now() }),
  };
}
