/** What the burst pools of the settings offer; pure. */
import type { Offer } from "../../agent/contract/plan.ts";
import { type CloudOfferWish, cloudOffers, mostOffers } from "../../providers/offers.ts";
import type { Catalog } from "../../providers/provider.ts";
import type { BurstPool } from "../burst-settings.ts";
import type { CloudBurstPool } from "../cloud-settings.ts";
import type { PricePlace } from "../price-cache.ts";

/** How long the parts of a launch take here, in seconds, until one has been measured. */
const expectedSeconds = {
  local: { create: 0.5, boot: 0.1, ssh: 0.5, agent: 0.5, join: 2 },
  ssh: { create: 1, boot: 0.1, ssh: 1, agent: 6, join: 2 },
  aws: { create: 15, boot: 25, ssh: 2, agent: 10, join: 2 },
  // 350 s in all, as users of Azure have measured (skypilot issue 3695).
  azure: { create: 250, boot: 90, ssh: 2, agent: 10, join: 2 },
} as const;

/** How long it takes at most until the provider says that a machine is gone. */
const teardownMs = { local: 30_000, ssh: 120_000, aws: 600_000, azure: 900_000 } as const;

/** What the master takes of all pools together (`bursterReport`). */
const mostReported = 1000;

/**
 * One offer of a pool of machines on this computer; one for each host of a pool of hosts, since each is there once; of a
 * cloud what its catalogs hold.
 */
export function offersOf(pools: Readonly<Record<string, BurstPool>>, catalogs: readonly Catalog[] = []): Offer[] {
  // Pools of clouds share what the others leave, so that no report is refused for its length.
  const isCloud = ({ provider }: BurstPool) => provider === "aws" || provider === "azure";
  const others = Object.values(pools).reduce((sum, pool) => sum + (pool.provider === "ssh" ? pool.hosts.length : isCloud(pool) ? 0 : 1), 0);
  const share = Math.max(0, Math.floor((mostReported - others) / Math.max(1, Object.values(pools).filter(isCloud).length)));
  return Object.entries(pools).flatMap(([burstPool, pool]): Offer[] => {
    const { provider, launchTimeoutMs } = pool;
    if (provider === "aws" || provider === "azure") return cloudOffers(wishOf(burstPool, pool), catalogs, Math.min(mostOffers, share));
    const shape = { cpu: pool.cpu, memory: pool.memory, disk: pool.disk, gpus: [] };
    const common = {
      burstPool,
      provider,
      market: "on-demand" as const,
      shape,
      launchTimeoutMs,
      teardownMs: teardownMs[provider],
      expectedSeconds: expectedSeconds[provider],
    };
    if (pool.provider === "local") {
      const price = { machine: pool.price.hourly, disk: 0, address: 0 };
      return [{ ...common, id: `${burstPool}/local`, price, pretend: true, maxNodes: pool.maxNodes }];
    }
    return pool.hosts.map((host) => ({
      ...common,
      id: `${burstPool}/${host.name}`,
      price: { machine: host.price?.hourly ?? 0, disk: 0, address: 0 },
      pretend: false,
      maxNodes: 1,
      ...(host.site === undefined ? {} : { zone: host.site }),
    }));
  });
}

/** Where the pools buy. */
export function cloudPlaces(pools: Readonly<Record<string, BurstPool>>): PricePlace[] {
  return Object.values(pools).flatMap((pool) =>
    pool.provider === "local" || pool.provider === "ssh" ? [] : pool.regions.map((region) => ({ cloud: pool.provider, region })),
  );
}

function wishOf(burstPool: string, pool: CloudBurstPool): CloudOfferWish {
  const { provider, regions, market, types, diskGiB, address, maxNodes, launchTimeoutMs, networks } = pool;
  return {
    burstPool,
    provider,
    regions,
    market,
    types,
    zones: Object.fromEntries(
      Object.entries(networks).map(([region, { subnets }]) => [region, subnets === undefined ? undefined : Object.keys(subnets)]),
    ),
    diskGiB,
    address,
    maxNodes,
    launchTimeoutMs,
    teardownMs: teardownMs[provider],
    expectedSeconds: expectedSeconds[provider],
  };
}
