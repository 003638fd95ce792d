/** What Azure sells in one region: sizes of Azure Compute, prices of its public list, and how much of it the subscription may still take. */
import type { Usage, VirtualMachine } from "@azure/arm-compute";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { type Market, tagNames } from "../cloud-machine.ts";
import type { Catalog, CatalogEntry } from "../provider.ts";
import { azureClients, currentSubscription } from "./client.ts";
import { evictionRates } from "./eviction-rates.ts";
import { all } from "./list.ts";
import { withAzureErrors } from "./problem.ts";
import { addressHourly, diskGiBHourly, priceFilters, retailPrices, type SizePrices, sizePrices } from "./retail-prices.ts";
import { type Size, sizesOf } from "./sku.ts";

/**
 * Throws `cloud-…` when Azure can't be asked, `prices-unreachable` when its list can't be read, and `prices-unknown` when the
 * list lacks what each machine costs beside itself: without that no offer's price would be whole.
 */
export async function fetchAzureCatalog(region: string, signal?: AbortSignal): Promise<Catalog> {
  const clients = await azureClients(currentSubscription());
  const where = `Azure ${region}`;
  const options = signal === undefined ? {} : { abortSignal: signal };
  const filters = priceFilters(region);
  const [skus, usages, machines, reclaims, sizeItems, diskItems, addressItems] = await Promise.all([
    withAzureErrors(where, () => all(clients.compute.resourceSkus.list({ ...options, filter: `location eq '${region}'` }))),
    // Who may not read these two may still buy.
    withAzureErrors(where, () => all(clients.compute.usage.list(region, options))).catch(messageOf),
    withAzureErrors(where, () => all(clients.compute.virtualMachines.listAll(options))),
    withAzureErrors(where, () => evictionRates(clients.graph, region, signal)).catch(messageOf),
    retailPrices(filters.sizes, signal),
    retailPrices(filters.disks, signal),
    retailPrices(filters.addresses, signal),
  ]);
  const diskGiB = diskGiBHourly(diskItems);
  const publicAddress = addressHourly(addressItems, region);
  if (diskGiB === undefined || publicAddress === undefined) {
    throw new SpillwayError(`Azure's price list has no price of ${diskGiB === undefined ? "a disk" : "a public address"} there`, {
      code: "prices-unknown",
      where,
      hint: "Look at the region's name: az account list-locations --query [].name",
    });
  }
  const sizes = sizesOf(skus, region);
  return {
    provider: "azure",
    region,
    fetchedAt: Date.now(),
    diskGiB,
    publicAddress,
    entries: entriesOf(sizes, sizePrices(sizeItems), typeof reclaims === "string" ? undefined : reclaims),
    ...(typeof usages === "string" ? { quotaUnknown: usages } : { quota: quotaOf(usages, burstCores(machines, sizes, region)) }),
    ...(typeof reclaims === "string" ? { reclaimsUnknown: reclaims } : {}),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Sizes with what they cost; those without any price can't be bought. Spot's price is the same in all zones. */
export function entriesOf(sizes: readonly Size[], prices: SizePrices, reclaims: ReadonlyMap<string, number> = new Map()): CatalogEntry[] {
  return sizes.flatMap(({ isSpotCapable, ...size }): CatalogEntry[] => {
    const onDemand = prices.onDemand.get(size.instanceType);
    const spot = isSpotCapable ? prices.spot.get(size.instanceType) : undefined;
    if (onDemand === undefined && spot === undefined) return [];
    const reclaimed = reclaims.get(size.instanceType.toLowerCase());
    return [
      {
        ...size,
        ...(onDemand === undefined ? {} : { onDemand }),
        spot: spot === undefined ? {} : { "": spot },
        ...(reclaimed === undefined ? {} : { reclaimed }),
      },
    ];
  });
}

/** What machines of bursts take of a subscription. */
export interface BurstCores {
  readonly market: Market;
  /** As sizes have it. */
  readonly quotaFamily?: string | undefined;
  readonly cores: number;
}

export function burstCores(machines: readonly VirtualMachine[], sizes: readonly Size[], region: string): BurstCores[] {
  const known = new Map(sizes.map((size) => [size.instanceType, size]));
  return machines.flatMap(({ tags = {}, location, priority, hardwareProfile }): BurstCores[] => {
    const size = known.get(hardwareProfile?.vmSize ?? "");
    if (tags[tagNames.burst] === undefined || location !== region || size === undefined) return [];
    const { quotaFamily, cpu } = size;
    return [{ market: priority === "Spot" ? "spot" : "on-demand", quotaFamily, cores: cpu / 1000 }];
  });
}

/**
 * What is left of the region's cores ("Total Regional vCPUs"), of those for spot ("Total Regional Low-priority vCPUs"), and on demand
 * of each family's own ("standardDSv5Family"), by the family in lower case: sizes and usages are not written alike. What bursts
 * take counts as left: they come and go between two askings, and who buys them counts its own.
 */
export function quotaOf(usages: readonly Usage[], bursts: readonly BurstCores[] = []): NonNullable<Catalog["quota"]> {
  const back = new Map<string, number>();
  for (const { market, quotaFamily = "", cores } of bursts)
    for (const name of market === "spot" ? ["lowprioritycores"] : ["cores", quotaFamily]) back.set(name, (back.get(name) ?? 0) + cores);
  const left = new Map(
    usages.map(({ name, limit, currentValue }) => {
      const key = name.value?.toLowerCase() ?? "";
      return [key, Math.max(0, limit - currentValue + (back.get(key) ?? 0))] as const;
    }),
  );
  const [onDemand, spot] = [left.get("cores"), left.get("lowprioritycores")];
  const families = [...left].filter(([name]) => name.endsWith("family")).map(([name, cores]) => [name, { "on-demand": cores }] as const);
  return {
    "": { ...(onDemand === undefined ? {} : { "on-demand": onDemand }), ...(spot === undefined ? {} : { spot }) },
    ...Object.fromEntries(families),
  };
}
