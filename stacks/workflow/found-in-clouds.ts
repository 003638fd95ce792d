/** Looks for machines of node pools in the clouds before anything is made there. */
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { ListedMachine, Listing } from "../../providers/provider.ts";
import { providerOf } from "../../providers/registry.ts";
import { type CloudScopes, cloudScopes } from "../cloud-scopes.ts";
import type { FoundMachines } from "../clouds.ts";
import type { EnvironmentSettings } from "../settings.ts";
import { stateLayout } from "../state-layout.ts";
import type { KnownMachines } from "./machines.ts";

/**
 * Nothing where no node pool is in a cloud. Throws what the cloud's provider says when it can't be asked: making machines
 * blindly could make some twice.
 */
export async function foundInClouds(
  environment: string,
  settings: EnvironmentSettings,
  { environmentId, ids }: Pick<KnownMachines, "environmentId" | "ids">,
): Promise<FoundMachines> {
  const clouds = cloudScopes(Object.values(settings.pools));
  if (environmentId === undefined || Object.keys(clouds).length === 0) return {};
  const listings = await listClouds(environment, environmentId, clouds);
  return unrecordedMachines(
    listings.flatMap(({ machines }) => machines),
    ids,
  );
}

/**
 * By name, those of node pools that the state does not hold; pure. Throws `machines-of-one-name` for two under one name, since
 * taking either, or making a third, would leave one that is paid for and does nothing.
 *
 * What is recorded must not be among them: the engine never replaces a resource that is still said to be imported ("previously-
 * imported resources that still specify an ID may not be replaced"), and one whose id it has in another spelling, as Azure may
 * write it, it takes for another one.
 */
export function unrecordedMachines(listed: readonly ListedMachine[], recorded: ReadonlySet<string>): FoundMachines {
  const known = new Set([...recorded].map((id) => id.toLowerCase()));
  const strange = listed.filter(
    // What stops may be on its way out.
    ({ burst, machine, status }) => status === "running" && burst === undefined && !known.has(machine.providerId.toLowerCase()),
  );
  const byName = Map.groupBy(strange, ({ machine }) => machine.name);
  for (const [name, same] of byName) {
    if (same.length === 1) continue;
    const ids = same.map(({ machine }) => machine.providerId);
    throw new SpillwayError(`its cloud has ${same.length} machines of this name that no state knows: ${ids.join(", ")}`, {
      code: "machines-of-one-name",
      where: `machine ${name}`,
      hint: "Runs that were killed have left them. Delete all but one of them in the cloud, and run it again.",
    });
  }
  return Object.fromEntries([...byName].flatMap(([name, [only]]) => (only === undefined ? [] : [[name, only.machine.providerId]])));
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
