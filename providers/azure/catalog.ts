/** What Azure sells in one region: sizes of Azure Compute, prices of its public list, and how much of it the subscription may still take. */
import type { Usage } from "@azure/arm-compute";
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { Catalog, CatalogEntry } from "../provider.ts";
import { azureClients, currentSubscription } from "./client.ts";
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
  const [skus, usages, sizeItems, diskItems, addressItems] = await Promise.all([
    withAzureErrors(where, () => all(clients.compute.resourceSkus.list({ ...options, filter: `location eq '${region}'` }))),
    // Who may not read it may still buy.
    all(clients.compute.usage.list(region, options)).catch(() => undefined),
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
  const quota = usages === undefined ? undefined : quotaOf(usages);
  return {
    provider: "azure",
    region,
    fetchedAt: Date.now(),
    diskGiB,
    publicAddress,
    entries: entriesOf(sizesOf(skus, region), sizePrices(sizeItems)),
    ...(quota === undefined ? {} : { quota }),
  };
}

/** Sizes with what they cost; those without any price can't be bought. Spot's price is the same in all zones. */
export function entriesOf(sizes: readonly Size[], prices: SizePrices): CatalogEntry[] {
  return sizes.flatMap(({ isSpotCapable, ...size }): CatalogEntry[] => {
    const onDemand = prices.onDemand.get(size.instanceType);
    const spot = isSpotCapable ? prices.spot.get(size.instanceType) : undefined;
    if (onDemand === undefined && spot === undefined) return [];
    return [{ ...size, ...(onDemand === undefined ? {} : { onDemand }), spot: spot === undefined ? {} : { "": spot } }];
  });
}

/**
 * What is left of the region's cores ("Total Regional vCPUs") and of those for spot ("Total Regional Low-priority vCPUs"). On
 * demand each family has a limit of its own as well, which may be less.
 */
export function quotaOf(usages: readonly Usage[]): NonNullable<Catalog["quota"]> {
  const left = (name: string) => {
    const found = usages.find((usage) => usage.name.value?.toLowerCase() === name.toLowerCase());
    return found === undefined ? undefined : Math.max(0, found.limit - found.currentValue);
  };
  const [onDemand, spot] = [left("cores"), left("lowPriorityCores")];
  return { ...(onDemand === undefined ? {} : { "on-demand": onDemand }), ...(spot === undefined ? {} : { spot }) };
}
