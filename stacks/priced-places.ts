/** The regions whose prices an environment needs: of its node pools and of what its bursts may buy; pure. */
import { cloudPlaces } from "./burst/offers.ts";
import type { PricePlace } from "./price-cache.ts";
import type { EnvironmentSettings } from "./settings.ts";

/** Each once, in the order of the settings. */
export function pricedPlaces({ pools, burst }: Pick<EnvironmentSettings, "pools" | "burst">): PricePlace[] {
  const ofPools = Object.values(pools).flatMap((pool): PricePlace[] =>
    pool.provider === "local" || pool.provider === "ssh" ? [] : [{ cloud: pool.provider, region: pool.region }],
  );
  const all = [...ofPools, ...cloudPlaces(burst?.pools ?? {})];
  return [...new Map(all.map((place) => [`${place.cloud}/${place.region}`, place])).values()];
}
