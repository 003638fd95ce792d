/** A program of the real @pulumi/azure-native on the real engine, with the doubles of the provider and of Azure, and machines that are only remembered. */
import { randomUUID } from "node:crypto";
import { RoleAssignment } from "@pulumi/azure-native/authorization/roleAssignment.js";
import { RoleDefinition } from "@pulumi/azure-native/authorization/roleDefinition.js";
import { VirtualMachine, type VirtualMachineArgs } from "@pulumi/azure-native/compute/virtualMachine.js";
import { NatGateway } from "@pulumi/azure-native/network/natGateway.js";
import { NetworkInterface } from "@pulumi/azure-native/network/networkInterface.js";
import { NetworkSecurityGroup } from "@pulumi/azure-native/network/networkSecurityGroup.js";
import { PublicIPAddress } from "@pulumi/azure-native/network/publicIPAddress.js";
import { Subnet } from "@pulumi/azure-native/network/subnet.js";
import { VirtualNetwork } from "@pulumi/azure-native/network/virtualNetwork.js";
import { Provider } from "@pulumi/azure-native/provider.js";
import { ResourceGroup } from "@pulumi/azure-native/resources/resourceGroup.js";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type AzureCloud, startAzureCloud } from "../azure-cloud.ts";
import type { PlacedHost } from "../cloud-hosts.ts";
import { type CloudStack, cloudStack } from "../engine.ts";

const location = "westeurope";
const tags = { "spillway:node": "base-1", Name: "base-1" };
let cloud: AzureCloud<PlacedHost>;
let tested: CloudStack;
let args: Partial<VirtualMachineArgs> = {};
let customData = "#cloud-config\n";

const program = async () => {
  const { subscription } = cloud;
  const provider = new Provider("azure", { subscriptionId: subscription, disablePulumiPartnerId: true, useDefaultAzureCredential: true });
  const options = { provider };
  const group = new ResourceGroup("group", { resourceGroupName: "spillway-test", location, tags }, options);
  const place = { resourceGroupName: group.name, location, tags };
  const security = new NetworkSecurityGroup(
    "security",
    {
      ...place,
      networkSecurityGroupName: "machines",
      securityRules: [
        {
          name: "ssh",
          priority: 100,
          direction: "Inbound",
          access: "Allow",
          protocol: "Tcp",
          sourceAddressPrefixes: ["198.51.100.0/24"],
          sourcePortRange: "*",
          destinationAddressPrefix: "*",
          destinationPortRange: "22",
        },
      ],
    },
    options,
  );
  const standard = { ...place, sku: { name: "Standard" }, publicIPAllocationMethod: "Static" } as const;
  const natAddress = new PublicIPAddress("nat-address", { ...standard, publicIpAddressName: "nat" }, options);
  const nat = new NatGateway(
    "nat",
    { ...place, natGatewayName: "nat", sku: { name: "Standard" }, publicIpAddresses: [{ id: natAddress.id }] },
    options,
  );
  const network = new VirtualNetwork(
    "network",
    {
      ...place,
      virtualNetworkName: "machines",
      addressSpace: { addressPrefixes: ["10.200.0.0/16"] },
      subnets: [
        {
          name: "machines",
          addressPrefix: "10.200.0.0/17",
          defaultOutboundAccess: false,
          networkSecurityGroup: { id: security.id },
          natGateway: { id: nat.id },
        },
      ],
    },
    options,
  );
  const address = new PublicIPAddress("address", { ...standard, publicIpAddressName: "base-1", deleteOption: "Delete" }, options);
  const card = new NetworkInterface(
    "card",
    {
      ...place,
      networkInterfaceName: "base-1",
      networkSecurityGroup: { id: security.id },
      ipConfigurations: [
        {
          name: "machine",
          primary: true,
          privateIPAllocationMethod: "Dynamic",
          subnet: { id: pulumi.interpolate`${network.id}/subnets/machines` },
          publicIPAddress: { id: address.id, deleteOption: "Delete" },
        },
      ],
    },
    options,
  );
  const machine = new VirtualMachine(
    "machine",
    {
      ...place,
      vmName: "base-1",
      hardwareProfile: { vmSize: "Standard_D2s_v5" },
      identity: { type: "SystemAssigned" },
      storageProfile: {
        imageReference: { publisher: "Debian", offer: "debian-12", sku: "12-gen2", version: "latest" },
        osDisk: {
          name: "base-1-disk",
          createOption: "FromImage",
          diskSizeGB: 32,
          managedDisk: { storageAccountType: "StandardSSD_LRS" },
          caching: "ReadWrite",
          deleteOption: "Delete",
        },
      },
      osProfile: {
        computerName: "base-1",
        adminUsername: "spillway",
        customData: pulumi.secret(Buffer.from(customData).toString("base64")),
        linuxConfiguration: { disablePasswordAuthentication: true },
      },
      networkProfile: { networkInterfaces: [{ id: card.id, primary: true, deleteOption: "Delete" }] },
      ...args,
    },
    { ...options, deleteBeforeReplace: true, replaceOnChanges: ["priority"] },
  );
  const scope = `/subscriptions/${subscription}`;
  const role = new RoleDefinition(
    "role",
    {
      roleDefinitionId: "6d5f2b4e-6a0c-4d57-9d0a-2a1b3c4d5e6f",
      roleName: "ends its own group",
      scope,
      assignableScopes: [scope],
      permissions: [{ actions: ["Microsoft.Resources/subscriptions/resourceGroups/delete"] }],
    },
    options,
  );
  void new RoleAssignment(
    "assignment",
    {
      roleAssignmentName: "0b7ad4a2-51a5-4c37-8a5e-5f1d2b3c4d5e",
      roleDefinitionId: role.id,
      scope: group.id,
      principalId: machine.identity.apply((identity) => identity?.principalId ?? ""),
      principalType: "ServicePrincipal",
    },
    options,
  );
  return {
    id: machine.id,
    vmId: machine.vmId,
    address: address.ipAddress,
    card: card.ipConfigurations.apply((all) => all?.[0]?.privateIPAddress),
  };
};

beforeAll(async () => {
  cloud = await startAzureCloud();
  tested = await cloudStack({ program, environment: cloud.environment, plugin: "azure-native" });
}, 60_000);
afterEach(() => {
  cloud.faults.mend();
  args = {};
});
afterAll(async () => {
  tested?.remove();
  await cloud?.stop();
});

async function up() {
  const { outputs } = await tested.stack.up();
  const value = (name: string) => String(outputs[name]?.value);
  return { id: value("id"), vmId: value("vmId"), address: value("address"), card: value("card") };
}

test("a network and a machine come up with what was asked, and a second run changes nothing", { timeout: 120_000 }, async () => {
  const made = await up();
  expect(made.id).toBe(
    `/subscriptions/${cloud.subscription}/resourceGroups/spillway-test/providers/Microsoft.Compute/virtualMachines/base-1`,
  );
  expect(made.address).toMatch(/^203\.0\.113\./);
  const [machine] = cloud.machines();
  expect(machine).toMatchObject({ vmId: made.vmId, publicAddress: made.address, description: { power: "running", tags } });
  expect(machine?.host.address).toBe(made.card);
  expect(machine?.host.isOn()).toBe(true);
  const again = await tested.stack.up({ refresh: true });
  expect(again.summary.resourceChanges).toEqual({ same: 12 });
  const kept = (await tested.exported()).find(({ type }) => type.endsWith(":VirtualMachine"));
  // Pulumi's mark of a secret (sdk/go/common/resource/properties.go, SigKey and SecretSig).
  const secret = { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270" };
  expect(kept?.inputs).toMatchObject({ osProfile: { customData: secret } });
  expect(JSON.stringify(kept?.outputs)).not.toContain("customData");
});

test("tags change in place; what Azure never changes it refuses", { timeout: 120_000 }, async () => {
  const before = await up();
  args = { tags: { ...tags, more: "1" } };
  expect(await up()).toMatchObject({ vmId: before.vmId });
  expect(cloud.machines()[0]?.description.tags).toMatchObject({ more: "1" });
  customData = "#cloud-config\n{}\n";
  await expect(up()).rejects.toThrow(
    /Status=409 Code="PropertyChangeNotAllowed" Message="Changing property 'osProfile.customData' is not allowed/,
  );
  customData = "#cloud-config\n";
});

test("an input that the double does not know fails with a sentence", { timeout: 60_000 }, async () => {
  args = { licenseType: "RHEL_BYOS" };
  await expect(up()).rejects.toThrow("the double of azure-native:compute:VirtualMachine knows no input licenseType");
});

test("a machine that was ended past the engine is made anew, with its interface, address and disk", { timeout: 120_000 }, async () => {
  const before = await up();
  await cloud.arm.takeAway(before.id);
  expect(cloud.machines()).toEqual([]);
  expect(cloud.arm.ids().filter((id) => /base-1/.test(id))).toEqual([]);
  await tested.stack.refresh();
  const after = await up();
  expect(after.id).toBe(before.id);
  expect(after.vmId).not.toBe(before.vmId);
});

test("what Azure has no room for is told in azure-native's words, at once or after a while", { timeout: 180_000 }, async () => {
  await tested.stack.destroy();
  cloud.faults.stockout("Standard_D2s_v5");
  await expect(up()).rejects.toThrow(/Status=409 Code="SkuNotAvailable" Message="The requested VM size/);
  expect(cloud.arm.ids().filter((id) => /virtualMachines/.test(id))).toEqual([]);
  cloud.faults.mend();
  cloud.faults.stockout(undefined, undefined, "while-allocating");
  await expect(up()).rejects.toThrow(/Status=200 Code="AllocationFailed" Message="Allocation failed\. We do not have sufficient capacity/);
  // It is there, has never run, and the engine knows it.
  expect(cloud.arm.ids().filter((id) => /virtualMachines/.test(id))).toHaveLength(1);
  expect((await tested.exported()).some(({ type }) => type.endsWith(":VirtualMachine"))).toBe(true);
  cloud.faults.mend();
  await up();
  expect(cloud.machines()[0]?.host.isOn()).toBe(true);
});

test("too many requests are asked again, and a quota stops at its market", { timeout: 120_000 }, async () => {
  await tested.stack.destroy();
  cloud.faults.throttle(2);
  cloud.faults.quota("spot");
  args = { priority: "Spot", evictionPolicy: "Delete", billingProfile: { maxPrice: -1 } };
  await expect(up()).rejects.toThrow(
    /Code="OperationNotAllowed" Message="Operation could not be completed as it results in exceeding approved LowPriorityCores/,
  );
  args = {};
  await up();
});

test("destroy leaves nothing, in Azure or in the state", { timeout: 60_000 }, async () => {
  await tested.stack.destroy();
  expect(cloud.arm.ids()).toEqual([]);
  expect(cloud.arm.unknown).toEqual([]);
  expect(cloud.machines()).toEqual([]);
  expect(await tested.exported()).toEqual([]);
});

test("a subnet of its own stands in its network, and goes with it", { timeout: 60_000 }, async () => {
  const name = `spillway-${randomUUID().slice(0, 8)}`;
  const stack = await cloudStack({
    environment: cloud.environment,
    plugin: "azure-native",
    program: async () => {
      const group = new ResourceGroup("group", { resourceGroupName: name, location });
      const network = new VirtualNetwork("network", {
        resourceGroupName: group.name,
        virtualNetworkName: "net",
        addressSpace: { addressPrefixes: ["10.1.0.0/16"] },
      });
      const subnet = new Subnet("subnet", {
        resourceGroupName: group.name,
        virtualNetworkName: network.name,
        subnetName: "machines",
        addressPrefix: "10.1.1.0/24",
      });
      return { id: subnet.id };
    },
  });
  try {
    const { outputs } = await stack.stack.up();
    expect(outputs.id?.value).toMatch(/\/virtualNetworks\/net\/subnets\/machines$/);
    await stack.stack.destroy();
    expect(cloud.arm.ids()).toEqual([]);
  } finally {
    stack.remove();
  }
});
