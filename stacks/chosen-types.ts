/** Of each node pool whose settings say only what its machines must have: what is asked for, and the resource that chooses. */
import * as pulumi from "@pulumi/pulumi";
import { InstanceChoice } from "../providers/instance-choice.ts";
import type { TypeWish } from "../providers/type-wish.ts";
import type { InstanceWish } from "./cheapest-type.ts";
import { type MadeNetworks, networkKey } from "./cloud-networks.ts";
import type { AwsPool, AzurePool } from "./cloud-settings.ts";
import type { NetworkIds } from "./clouds.ts";
import { allowedTypes, type GuardRails } from "./guard-rails.ts";
import type { EnvironmentSettings } from "./settings.ts";

/** By pool. */
export type ChosenTypes = Readonly<Record<string, InstanceChoice>>;

/** What the pool asks for; undefined for one that names its type. Pure. */
export function instanceWish(pool: AwsPool | AzurePool, guards: GuardRails): InstanceWish | undefined {
  const { region, zones, market, types, diskGiB, address } = pool;
  if (types === undefined) return undefined;
  const allowed = allowedTypes(guards);
  return { region, zones, market, requirements: types, ...(allowed === undefined ? {} : { allowed }), diskGiB, address };
}

/** What its machines' processors are like, and so their image; pure. */
export function wantedArch({ arch }: TypeWish): "x64" | "arm64" {
  const [only] = arch;
  if (only === undefined || arch.length > 1) throw new Error("bug: the settings were not checked for one arch");
  return only;
}

export function makeChoices(
  { pools, guards }: Pick<EnvironmentSettings, "pools" | "guards">,
  networks: MadeNetworks,
  options: pulumi.CustomResourceOptions,
): ChosenTypes {
  const made = Object.entries(pools).flatMap(([name, pool]) => {
    if (pool.provider === "local" || pool.provider === "ssh") return [];
    const wish = instanceWish(pool, guards);
    if (wish === undefined) return [];
    const { requirements, allowed, zones, ...others } = wish;
    const network = pool.network ?? networks.get(networkKey(pool.provider, pool.region));
    const args = {
      ...others,
      pool: name,
      cloud: pool.provider,
      zones: [...zones],
      landing: zones.length > 0 ? [] : pulumi.output(network).apply(zonesOf),
      requirements,
      ...(allowed === undefined ? {} : { allowed: [...allowed] }),
    };
    return [[name, new InstanceChoice(`type-${name}`, args, options)] as const];
  });
  return Object.fromEntries(made);
}

/** Those with a subnet; a network of Azure has no zones. */
function zonesOf(network: NetworkIds | undefined): string[] {
  return Object.keys(network?.subnets ?? {}).toSorted();
}
