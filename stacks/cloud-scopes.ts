/** Where in each cloud something of an environment may be; pure. */
import type { CloudScope } from "../providers/provider.ts";

/** By the cloud's name. */
export type CloudScopes = Readonly<Record<string, CloudScope>>;

interface Placed {
  readonly provider: string;
  readonly region?: string | undefined;
  readonly regions?: readonly string[] | undefined;
}

/** The regions that pools, or machines, name. */
export function cloudScopes(placed: readonly Placed[]): CloudScopes {
  const places = placed.flatMap(({ provider, region, regions = region === undefined ? [] : [region] }) =>
    provider === "aws" || provider === "azure" ? regions.map((one) => ({ provider, region: one })) : [],
  );
  const byCloud = Map.groupBy(places, ({ provider }) => provider);
  return Object.fromEntries([...byCloud].map(([cloud, all]) => [cloud, { regions: [...new Set(all.map(({ region }) => region))] }]));
}
