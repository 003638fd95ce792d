/** What the node pools in clouds cost by the prices that are kept on this computer, and how old those are. */
import type { Catalog } from "../providers/provider.ts";
import { cheapestType } from "./cheapest-type.ts";
import { instanceWish } from "./chosen-types.ts";
import { hourlyIn } from "./cloud-price.ts";
import type { CloudName } from "./clouds.ts";
import { cachedCatalog, type PricePlace } from "./price-cache.ts";
import type { EnvironmentSettings } from "./settings.ts";
import { isCloudMachine, wantedMachines } from "./wanted-machines.ts";

export interface CloudPoolCost {
  readonly pool: string;
  readonly cloud: CloudName;
  readonly region: string;
  /** Undefined where the settings say what it must have, and no such type is known here. */
  readonly instanceType?: string;
  /** The type is the cheapest that has it by the prices kept here, which may not be the one that is chosen or was. */
  readonly isEstimate?: boolean;
  readonly market: "on-demand" | "spot";
  readonly machines: number;
  /** USD/hour of all of them with disks and addresses; undefined where the price of one is not known here. */
  readonly hourly?: number;
  /** When the cloud was asked, ms since the epoch; undefined where it never was. */
  readonly askedAt?: number;
}

/** In the order of the settings. `catalogOf` is what is kept, unless a test has its own. */
export function cloudPoolCosts(
  settings: Pick<EnvironmentSettings, "masters" | "pools" | "jumps" | "guards">,
  catalogOf: (place: PricePlace) => Catalog | undefined = cachedCatalog,
): CloudPoolCost[] {
  const byPool = Map.groupBy(wantedMachines(settings).filter(isCloudMachine), ({ pool }) => pool);
  return [...byPool].flatMap(([pool, machines]): CloudPoolCost[] => {
    const [first] = machines;
    if (first === undefined) return [];
    const { provider: cloud, settings: written } = first;
    const { region, market, zones, diskGiB, address } = written;
    const catalog = catalogOf({ cloud, region });
    const wish = instanceWish(written, settings.guards);
    const fitting = wish === undefined || catalog === undefined ? undefined : cheapestType(catalog, wish);
    const instanceType = written.instanceType ?? fitting?.entry.instanceType;
    const prices = machines.map(({ index }) => {
      const zone = zones.length === 0 ? undefined : zones[index % zones.length];
      return catalog === undefined || instanceType === undefined
        ? undefined
        : hourlyIn(catalog, { region, zone, instanceType, market, diskGiB, address });
    });
    const known = prices.filter((price) => price !== undefined);
    return [
      {
        pool,
        cloud,
        region,
        ...(instanceType === undefined ? {} : { instanceType }),
        ...(wish === undefined ? {} : { isEstimate: true }),
        market,
        machines: machines.length,
        ...(known.length < prices.length ? {} : { hourly: Math.round(known.reduce((sum, price) => sum + price, 0) * 1e6) / 1e6 }),
        ...(catalog === undefined ? {} : { askedAt: catalog.fetchedAt }),
      },
    ];
  });
}
