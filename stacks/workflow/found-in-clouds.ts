/** Looks for machines of node pools in the clouds before anything is made there. */
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { Listing } from "../../providers/provider.ts";
import { providerOf } from "../../providers/registry.ts";
import { type CloudScopes, cloudScopes } from "../cloud-scopes.ts";
import type { FoundMachines } from "../clouds.ts";
import type { EnvironmentSettings } from "../settings.ts";
import { stateLayout } from "../state-layout.ts";

/**
 * By name, those that there is one of. Nothing where no node pool is in a cloud. Of two under one name neither is taken:
 * `fsck` tells them. Throws what the cloud's provider says when it can't be asked: making machines blindly could make some twice.
 */
export async function foundInClouds(
  environment: string,
  settings: EnvironmentSettings,
  environmentId: string | undefined,
): Promise<FoundMachines> {
  const clouds = cloudScopes(Object.values(settings.pools));
  if (environmentId === undefined || Object.keys(clouds).length === 0) return {};
  const listings = await listClouds(environment, environmentId, clouds);
  const machines = listings.flatMap(({ machines: listed }) => listed).filter(({ burst }) => burst === undefined);
  const byName = Map.groupBy(machines, ({ machine }) => machine.name);
  return Object.fromEntries(
    [...byName].flatMap(([name, [first, ...others]]) =>
      first === undefined || others.length > 0 ? [] : [[name, first.machine.providerId]],
    ),
  );
}

/** What each of the clouds lists of the environment. */
export async function listClouds(environment: string, environmentId: string, clouds: CloudScopes): Promise<Listing[]> {
  const scope = {
    directory: stateLayout(environment).machines,
    hosts: [],
    identityOf: () => Promise.reject(new SpillwayError("bug: no host is asked here", { code: "bug" })),
    clouds,
  };
  return await Promise.all(Object.keys(clouds).map((name) => providerOf(name).list(environmentId, scope)));
}
