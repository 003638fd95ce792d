/** The type of machine that a node pool gets, where its settings say only what it must have; pure. */
import type { Market } from "../providers/cloud-machine.ts";
import type { Catalog, CatalogEntry } from "../providers/provider.ts";
import { againstType, sizeDistance, type TypeWish, typeWishText } from "../providers/type-wish.ts";
import { matchesWildcard } from "../providers/wildcard.ts";
import { hourlyOf } from "./cloud-price.ts";

export interface InstanceWish {
  readonly region: string;
  /** Each of them must sell it; empty: any may. */
  readonly zones: readonly string[];
  readonly market: Market;
  readonly requirements: TypeWish;
  /** Types that the guard rails allow, with `*` for any characters; undefined: any. */
  readonly allowed?: readonly string[] | undefined;
  readonly diskGiB: number;
  readonly address: "public" | "private";
}

export interface PricedType {
  readonly entry: CatalogEntry;
  /** USD/hour of one machine with disk and address: the mean of the zones, over which machines are spread. */
  readonly hourly: number;
}

/** Spot is compared with what is taken back reckoned in (`comparedHourly`). Of two at one price the bigger one. Undefined where none fits. */
export function cheapestType(catalog: Catalog, wish: InstanceWish): PricedType | undefined {
  const fitting = catalog.entries.flatMap((entry): PricedType[] => {
    const hourly = againstEntry(entry, wish).length > 0 ? undefined : meanHourly(catalog, entry, wish);
    return hourly === undefined ? [] : [{ entry, hourly }];
  });
  const compared = ({ entry, hourly }: PricedType) => hourly * (1 + (wish.market === "spot" ? (entry.reclaimed ?? 0) : 0));
  return fitting.toSorted((a, b) => compared(a) - compared(b) || bigger(a.entry, b.entry))[0];
}

/** All that speaks against a type, whatever it costs, as a sentence each; empty for one that fits. */
export function againstEntry(entry: CatalogEntry, { region, zones, market, requirements, allowed }: InstanceWish): string[] {
  const elsewhere = entry.region === region ? [] : [`it is of ${entry.region}, wanted: ${region}`];
  const forbidden = allowed === undefined || allowed.some((pattern) => matchesWildcard(pattern, entry.instanceType));
  return [
    ...elsewhere,
    ...againstType(entry, requirements),
    ...(forbidden ? [] : [`guards allow none but ${(allowed ?? []).join(", ")}`]),
    ...(elsewhere.length > 0 ? [] : notSold(entry, zones, market)),
  ];
}

/** The one against which the least speaks, with all of that; undefined where nothing is sold. */
export function nearestType(catalog: Catalog, wish: InstanceWish): { instanceType: string; against: string[] } | undefined {
  const ranked = catalog.entries.map((entry) => ({
    entry,
    against: againstEntry(entry, wish),
    distance: sizeDistance(entry, wish.requirements),
    hourly: meanHourly(catalog, entry, wish) ?? Number.MAX_VALUE,
  }));
  const [first] = ranked.toSorted(
    (a, b) => a.against.length - b.against.length || a.distance - b.distance || a.hourly - b.hourly || bigger(a.entry, b.entry),
  );
  return first === undefined ? undefined : { instanceType: first.entry.instanceType, against: first.against };
}

/** `2–32 cores, x64, on demand in eu-central-1a, eu-central-1b` */
export function instanceWishText({ zones, market, requirements }: InstanceWish): string {
  const where = zones.length === 0 ? "" : ` in ${zones.join(", ")}`;
  return `${typeWishText(requirements)}, ${marketText(market)}${where}`;
}

function notSold(entry: CatalogEntry, zones: readonly string[], market: Market): string[] {
  const missing = zones.filter((zone) => !entry.zones.includes(zone));
  if (missing.length > 0) return [`it is not sold in ${missing.join(", ")}`];
  if (market === "on-demand") return entry.onDemand === undefined ? ["its price on demand is not known"] : [];
  const unpriced = zones.filter((zone) => (entry.spot[zone] ?? entry.spot[""]) === undefined);
  if (unpriced.length > 0) return [`it has no price as spot in ${unpriced.join(", ")}`];
  return Object.keys(entry.spot).length === 0 ? ["it has no price as spot"] : [];
}

function meanHourly(catalog: Catalog, entry: CatalogEntry, { zones, market, diskGiB, address }: InstanceWish): number | undefined {
  const places = zones.length === 0 ? [undefined] : zones;
  const known = places.flatMap((zone) => hourlyOf(catalog, entry, { market, zone, diskGiB, address }) ?? []);
  if (known.length < places.length) return undefined;
  return Math.round((known.reduce((sum, one) => sum + one, 0) / known.length) * 1e6) / 1e6;
}

function bigger(a: CatalogEntry, b: CatalogEntry): number {
  return b.cpu - a.cpu || b.memory - a.memory || (a.instanceType < b.instanceType ? -1 : 1);
}

function marketText(market: Market): string {
  return market === "spot" ? "spot" : "on demand";
}
