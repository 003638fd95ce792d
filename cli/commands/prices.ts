/** `spillway prices`: what the clouds sell, as they said it last. */
import { type Command, Option } from "commander";
import { formatCpu, formatMemory, formatUsd } from "../../agent/contract/quantities.ts";
import type { Catalog, CatalogEntry } from "../../providers/provider.ts";
import { matchesWildcard } from "../../providers/wildcard.ts";
import type { CloudName } from "../../stacks/clouds.ts";
import { cachedCatalog, cachedPlaces, type PricePlace } from "../../stacks/price-cache.ts";
import { outputOption, wantsJson, withExamples } from "../command-options.ts";
import { countOf, paint, plain, print, printJson, shortSpan, table } from "../output.ts";
import { cloudOption, registerPricesRefresh } from "./prices-refresh.ts";

export function registerPrices(program: Command): void {
  const prices = program.command("prices").description("What the clouds sell, as they said it last; kept on this computer.");
  registerList(prices);
  registerPricesRefresh(prices);
}

const sortKeys = ["price", "cpu", "memory"] as const;
type SortKey = (typeof sortKeys)[number];

interface ListOptions {
  readonly cloud?: CloudName;
  readonly region?: string;
  readonly type?: string;
  readonly sort: SortKey;
}

function registerList(prices: Command): void {
  const list = prices
    .command("list")
    .description("Types of machines with their prices in USD/hour, without disk and address, and how old the prices are.")
    .addOption(cloudOption())
    .option("--region <region>", "as the cloud names it; * for any characters")
    .option("--type <pattern>", "as the cloud names it; * for any characters: m7i.*")
    .addOption(new Option("--sort <key>", "what the first one has least of").choices(sortKeys).default("price"))
    .addOption(outputOption())
    .action((options: ListOptions) => {
      const catalogs = keptCatalogs(options);
      const entries = entriesOf(catalogs, options);
      if (wantsJson(list)) printJson({ catalogs: catalogs.map(summaryOf), entries });
      else print(pricesText(catalogs, entries, Date.now()));
    });
  withExamples(list, [
    "spillway prices list --cloud aws --type 'm7*' --sort memory",
    "spillway prices list --region westeurope --output json | jq '.entries[0]'",
  ]);
}

/** A catalog with the place it is of. */
interface KeptCatalog extends PricePlace {
  readonly catalog: Catalog;
}

function keptCatalogs({ cloud, region }: Pick<ListOptions, "cloud" | "region">): KeptCatalog[] {
  return cachedPlaces()
    .filter((place) => (cloud === undefined || place.cloud === cloud) && (region === undefined || matchesWildcard(region, place.region)))
    .flatMap((place): KeptCatalog[] => {
      const catalog = cachedCatalog(place);
      return catalog === undefined ? [] : [{ ...place, catalog }];
    })
    .toSorted((a, b) => (`${a.cloud}/${a.region}` < `${b.cloud}/${b.region}` ? -1 : 1));
}

function summaryOf({ cloud, region, catalog }: KeptCatalog) {
  const { fetchedAt, diskGiB, publicAddress, quota, quotaUnknown, reclaimsUnknown } = catalog;
  return {
    cloud,
    region,
    fetchedAt,
    types: catalog.entries.length,
    diskGiB,
    publicAddress,
    ...(quota === undefined ? {} : { quota }),
    ...(quotaUnknown === undefined ? {} : { quotaUnknown }),
    ...(reclaimsUnknown === undefined ? {} : { reclaimsUnknown }),
  };
}

/** One type in one region. */
export interface PricedEntry extends CatalogEntry {
  readonly cloud: CloudName;
  /** Where spot machines of it cost least, and how much. */
  readonly cheapestSpot?: { readonly zone: string; readonly hourly: number };
}

export function entriesOf(catalogs: readonly KeptCatalog[], { type, sort }: Pick<ListOptions, "type" | "sort">): PricedEntry[] {
  const all = catalogs.flatMap(({ cloud, catalog }) =>
    catalog.entries
      .filter(({ instanceType }) => type === undefined || matchesWildcard(type, instanceType))
      .map((entry): PricedEntry => ({ ...entry, cloud, ...cheapestSpotOf(entry) })),
  );
  const price = (entry: PricedEntry) => entry.onDemand ?? entry.cheapestSpot?.hourly ?? Number.POSITIVE_INFINITY;
  const size = (entry: PricedEntry) => (sort === "price" ? 0 : entry[sort]);
  return all.toSorted(
    (a, b) => size(a) - size(b) || order(price(a), price(b)) || order(`${a.region}/${a.instanceType}`, `${b.region}/${b.instanceType}`),
  );
}

function cheapestSpotOf({ spot }: CatalogEntry): Pick<PricedEntry, "cheapestSpot"> {
  const [cheapest] = Object.entries(spot).toSorted(([, a], [, b]) => a - b);
  return cheapest === undefined ? {} : { cheapestSpot: { zone: cheapest[0], hourly: cheapest[1] } };
}

/** Unlike a difference it tells endless prices apart from nothing. */
function order<T extends number | string>(a: T, b: T): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function pricesText(catalogs: readonly KeptCatalog[], entries: readonly PricedEntry[], now: number): string {
  if (catalogs.length === 0)
    return "No prices are kept here. To ask the clouds: spillway prices refresh ENVIRONMENT, or --cloud aws --region eu-central-1";
  const right = "right" as const;
  const columns = [
    { title: "cloud" },
    { title: "region" },
    { title: "type" },
    { title: "cpu", align: right },
    { title: "memory", align: right },
    { title: "gpu" },
    { title: "arch" },
    { title: "on demand $/hour", align: right },
    { title: "spot $/hour", align: right },
    { title: "in zone" },
    { title: "taken back", align: right },
  ];
  const rows = entries.map((entry) => [
    entry.cloud,
    entry.region,
    plain(entry.instanceType),
    formatCpu(entry.cpu),
    formatMemory(entry.memory),
    entry.gpus.map(({ model, count }) => `${count} ${plain(model)}`).join(", "),
    entry.arch,
    entry.onDemand === undefined ? "–" : formatUsd(entry.onDemand),
    entry.cheapestSpot === undefined ? "–" : formatUsd(entry.cheapestSpot.hourly),
    entry.cheapestSpot?.zone ?? "",
    entry.cheapestSpot === undefined ? "–" : reclaimText(entry.reclaimed),
  ]);
  const ages = catalogs.map((one) => ageText(one, now));
  return [...(rows.length === 0 ? ["No type matches."] : [table(columns, rows)]), "", ...ages].join("\n");
}

function reclaimText(share: number | undefined): string {
  if (share === undefined) return "?";
  return share === 0 ? "< 5 %" : `≥ ${Math.round(share * 100)} %`;
}

/** Older than this, spot prices say little. */
const oldMs = 24 * 3_600_000;

/** `aws eu-central-1: 790 types, 2 h old; disk $0.0001/h per GiB, address $0.005/h` */
export function ageText({ cloud, region, catalog }: KeptCatalog, now: number): string {
  const { fetchedAt, entries, diskGiB, publicAddress, quota } = catalog;
  const text = `${cloud} ${region}: ${countOf(entries.length, "type")}, ${shortSpan(now - fetchedAt)} old; disk ${formatUsd(diskGiB)}/h per GiB, address ${formatUsd(publicAddress)}/h${quota === undefined ? "; quota not known" : ""}`;
  return now - fetchedAt > oldMs ? paint("yellow", text) : text;
}
