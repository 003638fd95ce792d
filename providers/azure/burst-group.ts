/** The resource group of a burst: all that its machines are made of is in it, so that its end is one deletion. */
import { ResourceGroup } from "@pulumi/azure-native/resources/resourceGroup.js";
import * as pulumi from "@pulumi/pulumi";
import { type CloudIdentity, tagNames } from "../cloud-machine.ts";
import { burstGroupName } from "./names.ts";
import type { AzureOptions } from "./native-provider.ts";

/** By the run's own provider: one process runs the programs of many bursts, and of one burst many times. */
const groupsOfRuns = new WeakMap<pulumi.ProviderResource, Map<string, ResourceGroup>>();

/** The group of a burst in this run of its program; made for the first of its machines. */
export function burstGroupOf(
  { environment, environmentId, pool, burst }: CloudIdentity & { readonly burst: string },
  location: string,
  options: AzureOptions,
): ResourceGroup {
  const groups = groupsOfRuns.get(options.provider) ?? new Map<string, ResourceGroup>();
  groupsOfRuns.set(options.provider, groups);
  const known = groups.get(burst);
  if (known !== undefined) return known;
  const group = new ResourceGroup(
    `${burst}-group`,
    {
      resourceGroupName: pulumi.output(environmentId).apply((id) => burstGroupName(id, burst)),
      location,
      tags: {
        [tagNames.environmentId]: environmentId,
        [tagNames.environment]: environment,
        [tagNames.pool]: pool,
        [tagNames.burst]: burst,
        Name: burst,
      },
    },
    options,
  );
  groups.set(burst, group);
  return group;
}
