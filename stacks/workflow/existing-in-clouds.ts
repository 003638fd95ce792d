/**
 * What a killed `up` has made at Azure and nobody has recorded stands in the way of the next one: names there follow from whose a
 * thing is, and Pulumi's provider makes nothing that exists.
 */
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import type { ListedMachine, ListedThing } from "../../providers/provider.ts";
import { providerOf } from "../../providers/registry.ts";
import { cloudScopes } from "../cloud-scopes.ts";
import type { EnvironmentSettings } from "../settings.ts";
import { listClouds } from "./found-in-clouds.ts";
import { knownMachines } from "./machines.ts";
import { deleteRole, namesRole, roleAtAzure } from "./role-at-azure.ts";

/** Deletes what the engine refused to make for that reason and no machine needs, and a machine that has never run. False when there is no such thing: then nothing is to be tried again. */
export async function endExisting(
  environment: string,
  { pools, burst }: Pick<EnvironmentSettings, "pools" | "burst">,
  errors: readonly string[],
  onNotice: (text: string) => void,
): Promise<boolean> {
  const refused = existingIds(errors);
  if (refused.length === 0) return false;
  const { environmentId, ids: recorded } = await knownMachines(environment);
  if (environmentId === undefined) return false;
  const clouds = cloudScopes([...Object.values(pools), ...Object.values(burst?.pools ?? {})]);
  const listings = await listClouds(environment, environmentId, clouds);
  const inTheWay = nobodysThings(
    listings.flatMap(({ things }) => things),
    { refused, recorded },
  );
  for (const thing of inTheWay) {
    onNotice(`the ${thing.kind} ${thing.id} is in no state, as a run that was killed leaves one: deleting it, and making it again`);
    await withCrashPoint("cloud.sweep", () => providerOf(thing.provider).deleteThing?.(thing));
  }
  const machines = nobodysMachines(
    listings.flatMap((listing) => listing.machines),
    { refused, recorded },
  );
  for (const { machine } of machines) {
    onNotice(
      `machine ${machine.name} (${machine.providerId}) is in no state and has never run, as one that found no place: ending it, and making it again`,
    );
    await withCrashPoint("cloud.sweep", () => providerOf(machine.provider).delete(machine));
  }
  const role = await roleAtAzure(environmentId, clouds);
  const isRoleInTheWay = role !== undefined && namesRole(refused, role) && !namesRole(recorded, role);
  if (isRoleInTheWay) {
    onNotice(`the role ${role.id} is in no state, as a run that was killed leaves one: deleting it, and making it again`);
    await deleteRole(role);
  }
  return inTheWay.length + machines.length > 0 || isRoleInTheWay;
}

/** The ids in the provider's own words; pure. */
export function existingIds(errors: readonly string[]): string[] {
  return errors.flatMap((text) => [...text.matchAll(/cannot create already existing resource '([^']+)'/g)].map(([, id = ""]) => id));
}

interface Refusal {
  readonly refused: readonly string[];
  readonly recorded: ReadonlySet<string>;
}

/** Those of the environment's node pools that hang on no machine and that no state holds; pure. */
export function nobodysThings(things: readonly ListedThing[], refusal: Refusal): ListedThing[] {
  const isNobodys = nobodys(refusal);
  return things.filter(({ id, burst, of }) => burst === undefined && of === undefined && isNobodys(id));
}

/** Machines of node pools that no state holds and that have never run: one that did may have something on its disk; pure. */
export function nobodysMachines(machines: readonly ListedMachine[], refusal: Refusal): ListedMachine[] {
  const isNobodys = nobodys(refusal);
  return machines.filter(({ machine, burst, neverRan }) => burst === undefined && neverRan === true && isNobodys(machine.providerId));
}

/** Azure writes one id in several cases. */
function nobodys({ refused, recorded }: Refusal): (id: string) => boolean {
  const lower = (ids: Iterable<string>) => new Set([...ids].map((id) => id.toLowerCase()));
  const [meant, known] = [lower(refused), lower(recorded)];
  return (id) => meant.has(id.toLowerCase()) && !known.has(id.toLowerCase());
}
