/**
 * NetworkSecurityGroup, VirtualNetwork, Subnet, PublicIPAddress, NatGateway, NetworkInterface. Inputs: @pulumi/azure-native 3.28
 * `network/*.d.ts` and `types/input.d.ts`, as far as the double knows them; where each stands in a request: the REST reference of
 * Microsoft.Network, version 2024-05-01.
 */
import type { InputFacts } from "../../input-facts.ts";
import { armKind, groupName, inGroup, location, named, nameIn, ownName, type Shape, tags } from "../arm-kind.ts";

const docs = "https://www.pulumi.com/registry/packages/azure-native/api-docs/network";
const apiVersion = "2024-05-01";
const beside = ["location", "tags"];
const part: Shape = { beside: ["id", "name"] };

const rule: InputFacts = {
  name: { type: "string", required: true },
  access: { type: "string", required: true, oneOf: ["Allow", "Deny"] },
  description: { type: "string" },
  destinationAddressPrefix: { type: "string" },
  destinationAddressPrefixes: { type: "strings" },
  destinationPortRange: { type: "string" },
  destinationPortRanges: { type: "strings" },
  direction: { type: "string", required: true, oneOf: ["Inbound", "Outbound"] },
  // "A unique number between 100 and 4096" (Network security groups overview).
  priority: {
    type: "number",
    required: true,
    check: (value) => (Number(value) < 100 || Number(value) > 4096 ? "priority is 100 to 4096" : undefined),
  },
  protocol: { type: "string", required: true, oneOf: ["*", "Tcp", "Udp", "Icmp", "Esp", "Ah"] },
  sourceAddressPrefix: { type: "string" },
  sourceAddressPrefixes: { type: "strings" },
  sourcePortRange: { type: "string" },
  sourcePortRanges: { type: "strings" },
};

export const networkSecurityGroup = armKind({
  source: `${docs}/networksecuritygroup/`,
  apiVersion,
  ...inGroup("Microsoft.Network/networkSecurityGroups", "networkSecurityGroupName"),
  inputs: { location, tags, securityRules: { type: "objects", of: rule } },
  shape: { beside, inside: { securityRules: part } },
  hasLocation: true,
  computed: ["resourceGuid", "provisioningState", "defaultSecurityRules"],
});

const subnetInputs: InputFacts = {
  addressPrefix: { type: "string" },
  addressPrefixes: { type: "strings" },
  defaultOutboundAccess: { type: "boolean" },
  natGateway: named,
  networkSecurityGroup: named,
  privateEndpointNetworkPolicies: { type: "string" },
  privateLinkServiceNetworkPolicies: { type: "string" },
};

export const virtualNetwork = armKind({
  source: `${docs}/virtualnetwork/`,
  apiVersion,
  ...inGroup("Microsoft.Network/virtualNetworks", "virtualNetworkName"),
  inputs: {
    location,
    tags,
    addressSpace: { type: "object", required: true, of: { addressPrefixes: { type: "strings", required: true } } },
    // The SDK fills them in.
    enableDdosProtection: { type: "boolean", oneOf: [false] },
    enableVmProtection: { type: "boolean", oneOf: [false] },
    subnets: { type: "objects", of: { name: { type: "string", required: true }, ...subnetInputs } },
  },
  shape: { beside, inside: { subnets: part } },
  hasLocation: true,
  computed: ["resourceGuid", "provisioningState"],
});

export const subnet = armKind({
  source: `${docs}/subnet/`,
  apiVersion,
  names: { resourceGroupName: groupName, virtualNetworkName: groupName, subnetName: ownName },
  id: (inputs, subscription) =>
    `/subscriptions/${subscription}/resourceGroups/${String(inputs.resourceGroupName)}/providers/Microsoft.Network/virtualNetworks/${String(inputs.virtualNetworkName)}/subnets/${nameIn(inputs, "subnetName")}`,
  namesOf: (id) => ({ resourceGroupName: id.split("/")[4], virtualNetworkName: id.split("/")[8], subnetName: id.split("/")[10] }),
  inputs: subnetInputs,
  shape: { beside: ["id", "name"] },
  computed: ["provisioningState"],
});

export const publicIPAddress = armKind({
  source: `${docs}/publicipaddress/`,
  apiVersion,
  ...inGroup("Microsoft.Network/publicIPAddresses", "publicIpAddressName"),
  inputs: {
    location,
    tags,
    zones: { type: "strings", replaces: true },
    deleteOption: { type: "string", oneOf: ["Delete", "Detach"] },
    idleTimeoutInMinutes: { type: "number" },
    publicIPAddressVersion: { type: "string", oneOf: ["IPv4"] },
    // "Standard public IPs are always static" (Public IP addresses in Azure).
    publicIPAllocationMethod: { type: "string", required: true, oneOf: ["Static"] },
    sku: {
      type: "object",
      required: true,
      of: { name: { type: "string", oneOf: ["Standard", "Basic"] }, tier: { type: "string", oneOf: ["Regional"] } },
    },
  },
  shape: { beside: [...beside, "zones", "sku"] },
  hasLocation: true,
  computed: ["ipAddress", "ipConfiguration", "resourceGuid", "provisioningState"],
});

export const natGateway = armKind({
  source: `${docs}/natgateway/`,
  apiVersion,
  ...inGroup("Microsoft.Network/natGateways", "natGatewayName"),
  inputs: {
    location,
    tags,
    zones: { type: "strings", replaces: true },
    idleTimeoutInMinutes: { type: "number" },
    publicIpAddresses: { type: "objects", of: { id: { type: "string", required: true } } },
    sku: { type: "object", required: true, of: { name: { type: "string", oneOf: ["Standard"] } } },
  },
  shape: { beside: [...beside, "zones", "sku"] },
  hasLocation: true,
  computed: ["resourceGuid", "provisioningState", "subnets"],
});

export const networkInterface = armKind({
  source: `${docs}/networkinterface/`,
  apiVersion,
  ...inGroup("Microsoft.Network/networkInterfaces", "networkInterfaceName"),
  inputs: {
    location,
    tags,
    enableAcceleratedNetworking: { type: "boolean" },
    enableIPForwarding: { type: "boolean" },
    networkSecurityGroup: named,
    ipConfigurations: {
      type: "objects",
      required: true,
      of: {
        name: { type: "string", required: true },
        primary: { type: "boolean" },
        privateIPAddressVersion: { type: "string", oneOf: ["IPv4"] },
        privateIPAllocationMethod: { type: "string", oneOf: ["Dynamic"] },
        publicIPAddress: {
          type: "object",
          of: { id: { type: "string", required: true }, deleteOption: { type: "string", oneOf: ["Delete", "Detach"] } },
        },
        subnet: { ...named, required: true },
      },
    },
  },
  shape: { beside, inside: { ipConfigurations: { ...part, inside: { publicIPAddress: { beside: ["id"] } } } } },
  hasLocation: true,
  computed: ["macAddress", "primary", "resourceGuid", "provisioningState", "virtualMachine"],
});
