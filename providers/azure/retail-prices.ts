/**
 * Azure's public price list (Microsoft's page "Azure Retail Prices overview"; no login). The prices are list prices in USD, before
 * any discount of an agreement.
 */
import { z } from "zod";
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import { publicJson } from "../public-json.ts";
import { diskTiers } from "./disk-tier.ts";

const priceItem = z.object({
  armSkuName: z.string().default(""),
  armRegionName: z.string().default(""),
  meterName: z.string(),
  skuName: z.string(),
  productName: z.string(),
  unitOfMeasure: z.string(),
  retailPrice: z.number(),
  tierMinimumUnits: z.number().default(0),
  type: z.string().default("Consumption"),
});
export type PriceItem = z.infer<typeof priceItem>;

const pricePage = z.object({ Items: z.array(priceItem), NextPageLink: z.string().nullish() });

/** USD/hour of sizes in one region, by their name. */
export interface SizePrices {
  readonly onDemand: ReadonlyMap<string, number>;
  readonly spot: ReadonlyMap<string, number>;
}

/** Hours of a month, by which Azure's monthly prices are billed by the hour (its price calculator). */
const hoursOfMonth = 730;

/** What is asked for one region. Values are compared with regard to case since 2023-01-01-preview. */
export function priceFilters(region: string): { readonly sizes: string; readonly disks: string; readonly addresses: string } {
  const there = `armRegionName eq '${region}' and priceType eq 'Consumption'`;
  return {
    sizes: `serviceName eq 'Virtual Machines' and ${there}`,
    disks: `serviceName eq 'Storage' and productName eq 'Standard SSD Managed Disks' and ${there}`,
    addresses: `serviceName eq 'Virtual Network' and productName eq 'IP Addresses' and priceType eq 'Consumption'`,
  };
}

/** Linux only: Windows has products of its own, low priority is spot's forerunner for scale sets, and Cloud Services sells the same sizes otherwise. */
export function sizePrices(items: readonly PriceItem[]): SizePrices {
  const onDemand = new Map<string, number>();
  const spot = new Map<string, number>();
  for (const item of items) {
    const { armSkuName, skuName, productName, unitOfMeasure, retailPrice, type } = item;
    if (armSkuName === "" || unitOfMeasure !== "1 Hour" || type !== "Consumption" || !(retailPrice > 0)) continue;
    if (/Windows|Cloud ?Services|Dedicated ?Host/i.test(productName) || skuName.endsWith("Low Priority")) continue;
    const prices = skuName.endsWith(" Spot") ? spot : onDemand;
    // Two meters of one size: the dearer one is what may be billed.
    prices.set(armSkuName, Math.max(retailPrice, prices.get(armSkuName) ?? 0));
  }
  return { onDemand, spot };
}

/**
 * USD/hour of one GiB of a Standard SSD, the dearest of the tiers from 32 GiB on; a tier is billed whole (`billedDiskGiB`).
 * Each tier has other meters (operations, mounts) under the same name, so that the meter itself is looked for. Not in it:
 * operations, $0.002 per 10,000.
 */
export function diskGiBHourly(items: readonly PriceItem[]): number | undefined {
  const rates = diskTiers
    .filter(({ gib }) => gib >= 32 && gib <= 4096)
    .flatMap(({ name, gib }) =>
      items
        .filter(({ meterName, unitOfMeasure }) => unitOfMeasure === "1/Month" && isDiskMeter(meterName, name))
        .map(({ retailPrice }) => retailPrice / gib / hoursOfMonth),
    );
  return rates.length === 0 ? undefined : Math.max(...rates);
}

function isDiskMeter(meter: string, tier: string): boolean {
  return meter === `${tier} LRS Disk` || meter === `${tier} LRS Disks`;
}

/** USD/hour of a static public address, in that region or, where it is sold everywhere for one price, at all. */
export function addressHourly(items: readonly PriceItem[], region: string): number | undefined {
  const all = items.filter(({ meterName, unitOfMeasure }) => meterName === "Standard IPv4 Static Public IP" && unitOfMeasure === "1 Hour");
  const here = all.filter(({ armRegionName }) => armRegionName === region);
  const prices = (here.length > 0 ? here : all.filter(({ armRegionName }) => /^(global)?$/i.test(armRegionName))).map(
    (item) => item.retailPrice,
  );
  return prices.length === 0 ? undefined : Math.max(...prices);
}

/** A region's sizes are some 5,000 lines; more pages than this are a list that never ends. */
const mostPages = 200;

/**
 * Every line of the list that the filter lets through. `SPILLWAY_AZURE_PRICES` names another list than Azure's own, in the same
 * form. Throws `prices-unreachable`.
 */
export async function retailPrices(filter: string, signal?: AbortSignal): Promise<PriceItem[]> {
  const first = new URL(process.env.SPILLWAY_AZURE_PRICES ?? "https://prices.azure.com/api/retail/prices");
  first.searchParams.set("currencyCode", "USD");
  first.searchParams.set("$filter", filter);
  const items: PriceItem[] = [];
  let next: URL | undefined = first;
  for (let page = 0; next !== undefined && page < mostPages; page++) {
    const read: z.infer<typeof pricePage> = await readPage(next, signal);
    items.push(...read.Items);
    const link: string = read.NextPageLink ?? "";
    // Only pages of the list that was asked: a link to elsewhere is none.
    next = link === "" ? undefined : new URL(link);
    if (next !== undefined && next.hostname !== first.hostname) throw unreachable(`the next page is on ${next.hostname}`, undefined);
  }
  return items;
}

async function readPage(url: URL, signal: AbortSignal | undefined): Promise<z.infer<typeof pricePage>> {
  try {
    return pricePage.parse(await publicJson(url, signal));
  } catch (cause) {
    if (signal?.aborted === true) throw cause;
    throw unreachable(describeError(cause), cause);
  }
}

function unreachable(why: string, cause: unknown): SpillwayError {
  return new SpillwayError(`Azure's price list can't be read: ${why}`, {
    code: "prices-unreachable",
    where: "prices.azure.com",
    hint: "Look at this computer's network and proxy, then run it again; it needs no login.",
    cause,
  });
}
