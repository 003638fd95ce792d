/**
 * Places that are not bought from for a while, however many offers they have: a cloud that does not know who asks, and a
 * region's market that the account has no room in. Each offer by itself would be tried first, cheapest first, and another
 * cloud's never. Pure.
 */
import type { BurstRow, LaunchProblem } from "../../contract/ledger.ts";
import type { Offer } from "../../contract/plan.ts";

/** By so many offers of one place: a quota may be that of a family of types, a rule may forbid some. */
const offersOfPlace = 3;
/** What is true of more than one offer. */
const ofPlaces: ReadonlySet<LaunchProblem | undefined> = new Set(["quota", "not-allowed", "image-gone"]);

export interface Rest {
  /** ms since the epoch: since when. */
  readonly at: number;
  /** A sentence. */
  readonly reason: string;
}

/** Why an offer's place rests; undefined when it does not. `since`: ms since the epoch; what failed before is over. */
export function restingPlaces(rows: readonly BurstRow[], offers: readonly Offer[], since: number): (offer: Offer) => Rest | undefined {
  const byId = new Map(offers.map((offer) => [offer.id, offer]));
  const strangers = new Map<string, Rest>();
  const failed = new Map<string, { readonly offers: Set<string>; rest: Rest }>();
  for (const row of rows.toSorted((a, b) => endOf(a) - endOf(b))) {
    const { failure, problem } = row;
    const at = endOf(row);
    if (failure === undefined || at <= since) continue;
    if (problem === "credentials") strangers.set(row.provider, { at, reason: `${row.provider} does not know who asks: ${failure}` });
    const offer = byId.get(row.offer);
    if (offer === undefined || !ofPlaces.has(problem)) continue;
    const known = failed.get(placeOf(offer))?.offers ?? new Set();
    known.add(offer.id);
    const reason = `${known.size} offers of ${placeOf(offer)} failed, the last: ${failure}`;
    failed.set(placeOf(offer), { offers: known, rest: { at, reason } });
  }
  return (offer) => {
    const place = failed.get(placeOf(offer));
    return strangers.get(offer.provider) ?? (place !== undefined && place.offers.size >= offersOfPlace ? place.rest : undefined);
  };
}

function endOf({ at }: BurstRow): number {
  return at.retiring ?? at.draining ?? 0;
}

function placeOf({ provider, region, market }: Offer): string {
  return [provider, region, market].filter((part) => part !== undefined).join(" ");
}
