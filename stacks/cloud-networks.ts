/** The networks that an environment's machines in clouds need: one for each region that has none of the user's own. */
import * as pulumi from "@pulumi/pulumi";
import { addressOf } from "../agent/contract/endpoint.ts";
import type { CloudNetworkSpec } from "../providers/cloud-machine.ts";
import type { BurstPool } from "./burst-settings.ts";
import { type CloudName, type Clouds, cloudMaker, cloudsOf, type NetworkIds } from "./clouds.ts";
import type { EnvironmentSettings } from "./settings.ts";

/** A network to be made. */
export type WantedNetwork = Pick<CloudNetworkSpec, "region" | "zones" | "sshFrom" | "isOpenOnPurpose" | "masterFrom" | "masterPort"> & {
  readonly cloud: CloudName;
};

/**
 * The networks that are to be made; pure. Pools of one region share one: its zones and who may come in are what they want
 * together. A pool that names no zones takes those of the others, since a zone that is named must have its subnet; where
 * none names any there are the first three. The master listens on its URL's port; `usualPort` is that of one without.
 */
export function wantedNetworks(
  { masters, pools, burst, guards }: Pick<EnvironmentSettings, "masters" | "pools" | "burst" | "guards">,
  usualPort: number,
): WantedNetwork[] {
  const masterPort = masters.endpoint === undefined ? usualPort : addressOf(masters.endpoint).port;
  const wishes: WantedNetwork[] = [];
  for (const [name, pool] of Object.entries(pools)) {
    if (pool.provider === "local" || pool.provider === "ssh" || pool.network !== undefined) continue;
    const { provider: cloud, region, zones, sshFrom, masterFrom } = pool;
    wishes.push({ cloud, region, zones, sshFrom, masterFrom, ...(name === masters.pool ? { masterPort } : {}) });
  }
  for (const pool of Object.values(burst?.pools ?? {})) {
    if (pool.provider === "local" || pool.provider === "ssh") continue;
    for (const region of pool.regions)
      if (!Object.hasOwn(pool.networks, region))
        wishes.push({ cloud: pool.provider, region, zones: [], sshFrom: pool.sshFrom, masterFrom: [] });
  }
  const byPlace = Map.groupBy(wishes, ({ cloud, region }) => networkKey(cloud, region));
  const open = guards.override["ssh-open-to-all"] === undefined ? {} : { isOpenOnPurpose: true };
  return [...byPlace.values()].map((same) => {
    const [first, ...others] = same as [WantedNetwork, ...WantedNetwork[]];
    return others.reduce(
      (all, one) => ({
        ...all,
        zones: union(all.zones, one.zones),
        sshFrom: union(all.sshFrom, one.sshFrom),
        masterFrom: union(all.masterFrom, one.masterFrom),
        ...(all.masterPort === undefined && one.masterPort === undefined ? {} : { masterPort }),
      }),
      { ...first, ...open },
    );
  });
}

/** By `networkKey`. */
export type MadeNetworks = ReadonlyMap<string, pulumi.Output<NetworkIds>>;

export function makeNetworks(
  wanted: readonly WantedNetwork[],
  {
    environment,
    environmentId,
    clouds,
  }: { readonly environment: string; readonly environmentId: pulumi.Input<string>; readonly clouds: Clouds },
  options: pulumi.CustomResourceOptions,
): MadeNetworks {
  return new Map(
    wanted.map(({ cloud, ...spec }) => {
      const key = networkKey(cloud, spec.region);
      const made = cloudMaker(clouds, cloud).network(`network-${cloud}-${spec.region}`, { ...spec, environment, environmentId }, options);
      return [key, made] as const;
    }),
  );
}

/** What bursts need in a cloud beside networks, made once for each cloud that they may buy in. */
export function prepareBursts(
  { burst }: Pick<EnvironmentSettings, "burst">,
  networks: MadeNetworks,
  {
    environment,
    environmentId,
    clouds,
  }: { readonly environment: string; readonly environmentId: pulumi.Input<string>; readonly clouds: Clouds },
  options: pulumi.CustomResourceOptions,
): void {
  for (const cloud of cloudsOf({ pools: burst?.pools ?? {} })) {
    const [pool] = Object.values(burst?.pools ?? {}).filter((one) => one.provider === cloud);
    if (pool === undefined || pool.provider === "local" || pool.provider === "ssh") continue;
    const [region = ""] = pool.regions;
    const network = pool.networks[region] ?? networks.get(networkKey(cloud, region));
    if (network !== undefined)
      cloudMaker(clouds, cloud).prepareBursts?.(`bursts-${cloud}`, { environment, environmentId, network }, options);
  }
}

/** Burst pools of clouds with the ids of the networks that were made for them. */
export function withNetworks(pools: Readonly<Record<string, BurstPool>>, networks: MadeNetworks): pulumi.Output<Record<string, BurstPool>> {
  const keys = [...networks.keys()];
  return pulumi.all([...networks.values()]).apply((made) => {
    const idsOf = (cloud: CloudName, region: string) => made[keys.indexOf(networkKey(cloud, region))];
    const filled = Object.entries(pools).map(([name, pool]) => {
      if (pool.provider === "local" || pool.provider === "ssh") return [name, pool] as const;
      const own = pool.regions.flatMap((region) => {
        const ids = idsOf(pool.provider, region);
        return Object.hasOwn(pool.networks, region) || ids === undefined ? [] : [[region, ids] as const];
      });
      return [name, { ...pool, networks: { ...pool.networks, ...Object.fromEntries(own) } }] as const;
    });
    return Object.fromEntries(filled) as Record<string, BurstPool>;
  });
}

export function networkKey(cloud: CloudName, region: string): string {
  return `${cloud}/${region}`;
}

function union(some: readonly string[], others: readonly string[]): string[] {
  return [...new Set([...some, ...others])].toSorted();
}
