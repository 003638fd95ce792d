/** What a cloud's catalog offers to a burst pool; pure. */

import { comparedHourly, type Offer } from "../agent/contract/plan.ts";
import { type Resources, reservedOf, subtractResources } from "../agent/contract/resources.ts";
import type { Market } from "./cloud-machine.ts";
import { diskHourly } from "./disk-price.ts";
import type { Catalog, CatalogEntry } from "./provider.ts";
import { isWanted, type TypeWish } from "./type-wish.ts";

export interface CloudOfferWish {
  readonly burstPool: string;
  readonly provider: string;
  readonly regions: readonly string[];
  readonly market: readonly Market[];
  readonly types: TypeWish;
  /** Zones of each region in which a machine can be made; undefined: all of them. */
  readonly zones: Readonly<Record<string, readonly string[] | undefined>>;
  readonly diskGiB: number;
  readonly address: "public" | "private";
  readonly maxNodes: number;
  readonly launchTimeoutMs: number;
  readonly teardownMs: number;
  readonly expectedSeconds: Offer["expectedSeconds"];
}

/** The types kept for each place and market: those that no other one beats, then those that only they beat, and so on. */
const ranks = 3;
/** Offers of one burst pool at most: enough to choose from, and few enough for a plan. */
export const mostOffers = 300;

/**
 * All that may be bought and is worth a look, the cheapest by core first. An offer that others beat in everything (as much
 * of each resource for no more money and taken back no oftener, in the same place and market) is left out, but for a few that are there when a place
 * has run out of the better ones.
 */
export function cloudOffers(wish: CloudOfferWish, catalogs: readonly Catalog[], most: number = mostOffers): Offer[] {
  const places = wish.regions.flatMap((region) => {
    const catalog = catalogs.find((one) => one.provider === wish.provider && one.region === region);
    if (catalog === undefined) return [];
    const wanted = catalog.entries.filter((entry) => isWanted(entry, wish.types));
    return wish.market.flatMap((market) => {
      const offers = wanted.flatMap((entry) => offersOf(entry, market, wish, catalog));
      const zones = new Set(offers.map(({ zone }) => zone));
      return [...zones].map((zone) => withoutBeaten(offers.filter((offer) => offer.zone === zone)));
    });
  });
  return cheapestPlaces(places.flat(), most).toSorted(byCore);
}

/** So many: each type where it is cheapest, then where it is next, so that no kind of machine is crowded out by places of another. */
function cheapestPlaces(offers: readonly Offer[], most: number): Offer[] {
  if (offers.length <= most) return [...offers];
  const byType = Map.groupBy(offers, ({ instanceType, market }) => `${instanceType} ${market}`);
  const ranked = [...byType.values()].flatMap((same) => same.toSorted(byCore).map((offer, place) => ({ offer, place })));
  return ranked
    .toSorted((a, b) => a.place - b.place || byCore(a.offer, b.offer))
    .slice(0, most)
    .map(({ offer }) => offer);
}

function byCore(a: Offer, b: Offer): number {
  return perCore(a) - perCore(b) || (a.id < b.id ? -1 : 1);
}

function offersOf(entry: CatalogEntry, market: Market, wish: CloudOfferWish, catalog: Catalog): Offer[] {
  const { instanceType, region } = entry;
  const most = Math.min(wish.maxNodes, withinQuota(entry, market, catalog));
  const whole: Resources = { cpu: entry.cpu, memory: entry.memory, disk: wish.diskGiB * 1024, gpus: entry.gpus.map((gpu) => ({ ...gpu })) };
  const usable = wish.zones[region];
  const zones = entry.zones.length === 0 ? [""] : entry.zones.filter((zone) => usable === undefined || usable.includes(zone));
  return zones.flatMap((zone): Offer[] => {
    const machine = market === "spot" ? (entry.spot[zone] ?? entry.spot[""]) : entry.onDemand;
    if (machine === undefined || most === 0) return [];
    return [
      {
        id: offerId({ burstPool: wish.burstPool, region, zone, instanceType, market }),
        burstPool: wish.burstPool,
        provider: wish.provider,
        instanceType,
        region,
        ...(zone === "" ? {} : { zone }),
        market,
        shape: subtractResources(whole, reservedOf(whole, {})),
        price: {
          machine,
          disk: diskHourly(catalog, wish.diskGiB),
          address: wish.address === "public" ? catalog.publicAddress : 0,
        },
        pretend: false,
        ...(market === "spot" && entry.reclaimed !== undefined ? { reclaimed: entry.reclaimed } : {}),
        maxNodes: most,
        launchTimeoutMs: wish.launchTimeoutMs,
        teardownMs: wish.teardownMs,
        expectedSeconds: wish.expectedSeconds,
      },
    ];
  });
}

/** Machines that the account may still start: both by the quota of all types and by that of its family. */
function withinQuota({ cpu, quotaFamily }: CatalogEntry, market: Market, { quota = {} }: Catalog): number {
  const quotas = [quota[""], quotaFamily === undefined ? undefined : quota[quotaFamily]];
  const vcpus = Math.min(...quotas.map((one) => one?.[market] ?? Number.POSITIVE_INFINITY));
  return Math.floor(vcpus / Math.max(1, cpu / 1000));
}

/** Rank by rank: first what nothing beats. */
function withoutBeaten(offers: readonly Offer[]): Offer[] {
  const kept: Offer[] = [];
  let left = offers;
  for (let rank = 0; rank < ranks && left.length > 0; rank++) {
    const best = left.filter((one) => !left.some((other) => beats(other, one)));
    kept.push(...best);
    left = left.filter((one) => !best.includes(one));
  }
  return kept;
}

function beats(one: Offer, other: Offer): boolean {
  if (one === other) return false;
  const gpus = (offer: Offer) => offer.shape.gpus.map(({ model, count }) => `${model}×${count}`).join();
  const isAsMuch = one.shape.cpu >= other.shape.cpu && one.shape.memory >= other.shape.memory && gpus(one) === gpus(other);
  const [reclaimed, otherReclaimed] = [one.reclaimed ?? 0, other.reclaimed ?? 0];
  if (!isAsMuch || one.price.machine > other.price.machine || reclaimed > otherReclaimed) return false;
  const isMore =
    one.shape.cpu > other.shape.cpu ||
    one.shape.memory > other.shape.memory ||
    one.price.machine < other.price.machine ||
    reclaimed < otherReclaimed;
  // Of two alike the first by name stays.
  return isMore || one.id < other.id;
}

function perCore(offer: Offer): number {
  return comparedHourly(offer) / Math.max(1, offer.shape.cpu);
}

export interface OfferPlace {
  readonly burstPool: string;
  readonly region: string;
  /** "" where a machine needs no zone. */
  readonly zone: string;
  readonly instanceType: string;
  readonly market: Market;
}

function offerId({ burstPool, region, zone, instanceType, market }: OfferPlace): string {
  return [burstPool, region, zone === "" ? "-" : zone, instanceType, market].join("/");
}

/** What an offer of a cloud says of itself. Throws a plain Error for what is none. */
export function placeOfOffer(id: string): OfferPlace {
  const [burstPool, region, zone, instanceType, market, ...rest] = id.split("/");
  if (burstPool === undefined || region === undefined || zone === undefined || instanceType === undefined || rest.length > 0)
    throw new Error(`bug: ${id} is no offer of a cloud`);
  if (market !== "spot" && market !== "on-demand") throw new Error(`bug: ${id} has no market`);
  return { burstPool, region, zone: zone === "-" ? "" : zone, instanceType, market };
}
