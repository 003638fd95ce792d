/**
 * The network of an environment's machines in one region: a resource group, a VNet with one subnet, and who is let in.
 *
 * New virtual networks give their machines no way out by default any more (default outbound access, off since 31 March 2026;
 * Microsoft's page "Default outbound access in Azure"). The subnet is made private in so many words, so that it is the same
 * for everyone, and each machine goes out by its own public address ($0.005/hour), to which nobody but `sshFrom` and
 * `masterFrom` is let in. A NAT gateway costs nine times as much an hour, and each GB beside, before the first machine
 * runs; it is made only where machines have private addresses.
 */
import { NatGateway } from "@pulumi/azure-native/network/natGateway.js";
import { NetworkSecurityGroup } from "@pulumi/azure-native/network/networkSecurityGroup.js";
import { PublicIPAddress } from "@pulumi/azure-native/network/publicIPAddress.js";
import { VirtualNetwork } from "@pulumi/azure-native/network/virtualNetwork.js";
import { ResourceGroup } from "@pulumi/azure-native/resources/resourceGroup.js";
import * as pulumi from "@pulumi/pulumi";
import { type CloudNetworkSpec, tagNames } from "../cloud-machine.ts";
import { environmentGroupName } from "./names.ts";
import type { AzureOptions } from "./native-provider.ts";
import { securityRules } from "./network-rules.ts";

interface AzureNetworkSpec extends CloudNetworkSpec {
  /** A NAT gateway, for machines that have no public address; it is billed by the hour. */
  readonly natGateway?: boolean;
}

export interface AzureNetwork {
  /** Its name. */
  readonly resourceGroup: pulumi.Output<string>;
  readonly subnetId: pulumi.Output<string>;
  readonly securityGroupId: pulumi.Output<string>;
  readonly resources: pulumi.Resource[];
}

/** 65,536 addresses, of which the machines' subnet has the first half (Azure keeps five of each subnet). */
const addressSpace = "10.200.0.0/16";
const machineSubnet = "10.200.0.0/17";

/** Throws `ssh-open-to-all` when SSH would be let in from everywhere and nobody has said that this is meant. */
export function makeAzureNetwork(name: string, spec: AzureNetworkSpec, options: AzureOptions): AzureNetwork {
  const { environment, environmentId, region: location } = spec;
  const tags = { [tagNames.environmentId]: environmentId, [tagNames.environment]: environment };
  const rules = securityRules(spec);
  const group = new ResourceGroup(
    `${name}-group`,
    {
      resourceGroupName: pulumi.output(environmentId).apply((id) => environmentGroupName(id, location)),
      location,
      tags: { ...tags, Name: name },
    },
    options,
  );
  const place = { resourceGroupName: group.name, location };
  const security = new NetworkSecurityGroup(
    `${name}-security`,
    {
      ...place,
      networkSecurityGroupName: "machines",
      securityRules: rules.map((rule) => ({ ...rule, sourcePortRange: "*", destinationAddressPrefix: "*" })),
      tags: { ...tags, Name: `${name}-security` },
    },
    options,
  );
  const gateway = spec.natGateway === true ? makeNatGateway(name, { ...place, tags }, options) : undefined;
  const network = new VirtualNetwork(
    `${name}-network`,
    {
      ...place,
      virtualNetworkName: "machines",
      addressSpace: { addressPrefixes: [addressSpace] },
      // Written here and not as a resource of its own: a PUT of the network without its subnets would take them away.
      subnets: [
        {
          name: "machines",
          addressPrefix: machineSubnet,
          defaultOutboundAccess: false,
          networkSecurityGroup: { id: security.id },
          ...(gateway === undefined ? {} : { natGateway: { id: gateway.id } }),
        },
      ],
      tags: { ...tags, Name: `${name}-network` },
    },
    options,
  );
  return {
    resourceGroup: group.name,
    subnetId: pulumi.interpolate`${network.id}/subnets/machines`,
    securityGroupId: security.id,
    resources: [group, security, ...(gateway === undefined ? [] : [gateway]), network],
  };
}

interface GatewayPlace {
  readonly resourceGroupName: pulumi.Input<string>;
  readonly location: string;
  readonly tags: Record<string, pulumi.Input<string>>;
}

function makeNatGateway(name: string, { tags, ...place }: GatewayPlace, options: AzureOptions): NatGateway {
  const address = new PublicIPAddress(
    `${name}-nat-address`,
    {
      ...place,
      publicIpAddressName: "nat",
      sku: { name: "Standard" },
      publicIPAllocationMethod: "Static",
      tags: { ...tags, Name: `${name}-nat-address` },
    },
    options,
  );
  return new NatGateway(
    `${name}-nat`,
    {
      ...place,
      natGatewayName: "nat",
      sku: { name: "Standard" },
      publicIpAddresses: [{ id: address.id }],
      tags: { ...tags, Name: `${name}-nat` },
    },
    options,
  );
}
