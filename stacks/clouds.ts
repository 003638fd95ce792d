/**
 * What makes networks and machines in clouds, loaded only where the settings want some: the clouds' SDKs are large, and an
 * environment without them must not need their plugins.
 */
import type * as pulumi from "@pulumi/pulumi";
import type { CloudIdentity, CloudMachineSpec, CloudNetworkSpec, MadeCloudMachine } from "../providers/cloud-machine.ts";

export type CloudName = "aws" | "azure";

/** The ids of a network in one region, whoever made it. */
export interface NetworkIds {
  /** AWS: id of the subnet by zone. */
  readonly subnets?: Record<string, string> | undefined;
  /** AWS */
  readonly securityGroups?: string[] | undefined;
  /** Azure: the name of the group that gets the machines of node pools. */
  readonly resourceGroup?: string | undefined;
  /** Azure */
  readonly subnet?: string | undefined;
  /** Azure */
  readonly securityGroup?: string | undefined;
}

export interface CloudMaker {
  /** `name` is the resource's and, where the cloud has names, its own. */
  network(name: string, spec: CloudNetworkSpec, options: pulumi.CustomResourceOptions): pulumi.Output<NetworkIds>;
  machine(
    spec: CloudMachineSpec,
    identity: CloudIdentity,
    network: pulumi.Input<NetworkIds>,
    options: pulumi.CustomResourceOptions,
  ): MadeCloudMachine;
  /** The machine's id at the cloud, where that is known before it is made. */
  providerIdOf?(identity: CloudIdentity, network: pulumi.Input<NetworkIds>): pulumi.Output<string>;
  /** Makes what all bursts in that cloud need beside networks, once in the environment's stack. */
  prepareBursts?(name: string, preparation: BurstPreparation, options: pulumi.CustomResourceOptions): void;
}

export interface BurstPreparation {
  readonly environment: string;
  readonly environmentId: pulumi.Input<string>;
  /** Any network of the environment in that cloud. */
  readonly network: pulumi.Input<NetworkIds>;
}

export type Clouds = Readonly<Partial<Record<CloudName, CloudMaker>>>;

/**
 * Machines of node pools that a cloud lists under the environment's tag, by name: the cloud's id. One that an interrupted
 * `up` has made, and the engine has not recorded, is taken over instead of being made twice.
 */
export type FoundMachines = Readonly<Record<string, string>>;

interface NamedPools {
  readonly pools: Readonly<Record<string, { readonly provider: string }>>;
  readonly burst?: { readonly pools: Readonly<Record<string, { readonly provider: string }>> } | undefined;
}

/** The clouds that the settings name. */
export function cloudsOf({ pools, burst }: NamedPools): CloudName[] {
  const named = [...Object.values(pools), ...Object.values(burst?.pools ?? {})].map(({ provider }) => provider);
  return (["aws", "azure"] as const).filter((cloud) => named.includes(cloud));
}

export async function loadClouds(names: readonly CloudName[]): Promise<Clouds> {
  const loaded = await Promise.all(names.map(async (name) => [name, name === "aws" ? await loadAws() : await loadAzure()] as const));
  return Object.fromEntries(loaded);
}

/** Of a cloud that was loaded. */
export function cloudMaker(clouds: Clouds, name: CloudName): CloudMaker {
  const maker = clouds[name];
  if (maker === undefined) throw new Error(`bug: ${name} was not loaded`);
  return maker;
}

async function loadAws(): Promise<CloudMaker> {
  const [{ output }, { makeAwsNetwork }, { makeAwsInstance }] = await Promise.all([
    import("@pulumi/pulumi"),
    import("../providers/aws/network.ts"),
    import("../providers/aws/instance.ts"),
  ]);
  return {
    network(name, spec, options) {
      const { subnets, securityGroupIds } = makeAwsNetwork(name, spec, options);
      return output({ subnets, securityGroups: securityGroupIds });
    },
    machine(spec, identity, network, options) {
      const ids = output(network);
      const own = {
        subnets: ids.apply(({ subnets }) => subnets ?? {}),
        securityGroupIds: ids.apply(({ securityGroups }) => securityGroups ?? []),
      };
      return makeAwsInstance({ ...spec, identity, network: own }, options);
    },
  };
}

async function loadAzure(): Promise<CloudMaker> {
  const [
    { output },
    { makeAzureProvider },
    { makeAzureNetwork },
    { makeAzureMachine },
    { makeOwnGroupRole },
    { burstGroupName, virtualMachineId },
    { parseArmId },
  ] = await Promise.all([
    import("@pulumi/pulumi"),
    import("../providers/azure/native-provider.ts"),
    import("../providers/azure/network.ts"),
    import("../providers/azure/virtual-machine.ts"),
    import("../providers/azure/own-group-role.ts"),
    import("../providers/azure/names.ts"),
    import("../providers/azure/arm-id.ts"),
  ]);
  // One for the whole run of a program: its resources name it in their state.
  let provider: pulumi.ProviderResource | undefined;
  const own = (options: pulumi.CustomResourceOptions) => {
    provider ??= makeAzureProvider("azure", undefined, options.parent === undefined ? {} : { parent: options.parent });
    return { ...options, provider };
  };
  return {
    network(name, spec, options) {
      const { resourceGroup, subnetId, securityGroupId } = makeAzureNetwork(name, spec, own(options));
      return output({ resourceGroup, subnet: subnetId, securityGroup: securityGroupId });
    },
    machine(spec, identity, network, options) {
      const ids = output(network);
      const known = {
        resourceGroup: ids.apply(({ resourceGroup }) => resourceGroup ?? ""),
        subnetId: ids.apply(({ subnet }) => subnet ?? ""),
        securityGroupId: ids.apply(({ securityGroup }) => securityGroup ?? ""),
      };
      const { vmId, ...made } = makeAzureMachine({ ...spec, identity, network: known }, own(options));
      // An id of Azure's comes again with a machine of the same name.
      return { ...made, attributes: { vmId } };
    },
    providerIdOf: ({ environmentId, burst, name }, network) =>
      output({ environmentId, ids: network }).apply(({ environmentId: id, ids: { subnet = "", resourceGroup = "" } }) =>
        virtualMachineId({
          subscription: parseArmId(subnet).subscription,
          resourceGroup: burst === undefined ? resourceGroup : burstGroupName(id, burst),
          name,
        }),
      ),
    prepareBursts(name, { environment, environmentId, network }, options) {
      const subnetId = output(network).apply(({ subnet }) => subnet ?? "");
      makeOwnGroupRole(name, { environment, environmentId, subnetId }, own(options));
    },
  };
}
