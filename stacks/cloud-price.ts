/** What a cloud's machine costs by the prices that are kept on this computer. */
import { diskHourly } from "../providers/disk-price.ts";
import type { Catalog, CatalogEntry } from "../providers/provider.ts";
import type { CloudName } from "./clouds.ts";
import { cachedCatalog } from "./price-cache.ts";

export interface PricedMachine {
  readonly region: string;
  readonly zone?: string | undefined;
  readonly instanceType: string;
  readonly market: "on-demand" | "spot";
  readonly diskGiB: number;
  readonly address: "public" | "private" | "fixed";
}

/** USD/hour with disk and address; undefined where the cloud was never asked, or does not sell it. */
export function cloudHourly(cloud: CloudName, machine: PricedMachine): number | undefined {
  const catalog = cachedCatalog({ cloud, region: machine.region });
  return catalog === undefined ? undefined : hourlyIn(catalog, machine);
}

/** Of what a machine costs in all the part that is for itself, without its disk and address, as far as their prices are known. USD/hour. */
export function machineShare(
  cloud: CloudName,
  { region, diskGiB, address, hourly }: Pick<PricedMachine, "region" | "diskGiB" | "address"> & { readonly hourly: number },
): number {
  const catalog = cachedCatalog({ cloud, region });
  if (catalog === undefined) return hourly;
  const others = diskHourly(catalog, diskGiB) + (address === "private" ? 0 : catalog.publicAddress);
  return others < hourly ? hourly - others : hourly;
}

/** The same from one catalog; pure. Without a zone the dearest zone's price counts. */
export function hourlyIn(catalog: Catalog, machine: PricedMachine): number | undefined {
  const entry = catalog.entries.find((one) => one.instanceType === machine.instanceType);
  return entry === undefined ? undefined : hourlyOf(catalog, entry, machine);
}

/** The same of a type of that catalog; pure. */
export function hourlyOf(
  catalog: Catalog,
  entry: CatalogEntry,
  { market, zone, diskGiB, address }: Omit<PricedMachine, "region" | "instanceType">,
): number | undefined {
  const spot = zone === undefined ? Math.max(...Object.values(entry.spot)) : (entry.spot[zone] ?? entry.spot[""]);
  const machine = market === "spot" ? spot : entry.onDemand;
  if (machine === undefined || !Number.isFinite(machine)) return undefined;
  const whole = machine + diskHourly(catalog, diskGiB) + (address === "private" ? 0 : catalog.publicAddress);
  return Math.round(whole * 1e6) / 1e6;
}
