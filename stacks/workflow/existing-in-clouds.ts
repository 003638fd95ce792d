/**
 * What a killed `up` has made at Azure and nobody has recorded stands in the way of the next one: names there follow from whose a
 * thing is, and Pulumi's provider makes nothing that exists.
 */
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import type { ListedThing } from "../../providers/provider.ts";
import { providerOf } from "../../providers/registry.ts";
import { cloudScopes } from "../cloud-scopes.ts";
import type { EnvironmentSettings } from "../settings.ts";
import { listClouds } from "./found-in-clouds.ts";
import { knownMachines } from "./machines.ts";

/** Deletes what the engine refused to make for that reason and no machine needs. False when there is no such thing: then nothing is to be tried again. */
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
  return inTheWay.length > 0;
}

/** The ids in the provider's own words; pure. */
export function existingIds(errors: readonly string[]): string[] {
  return errors.flatMap((text) => [...text.matchAll(/cannot create already existing resource '([^']+)'/g)].map(([, id = ""]) => id));
}

/** Those of the environment's node pools that hang on no machine and that no state holds; pure. */
export function nobodysThings(
  things: readonly ListedThing[],
  { refused, recorded }: { readonly refused: readonly string[]; readonly recorded: ReadonlySet<string> },
): ListedThing[] {
  const lower = (ids: Iterable<string>) => new Set([...ids].map((id) => id.toLowerCase()));
  const [meant, known] = [lower(refused), lower(recorded)];
  return things.filter(
    ({ id, burst, of }) => burst === undefined && of === undefined && meant.has(id.toLowerCase()) && !known.has(id.toLowerCase()),
  );
}
