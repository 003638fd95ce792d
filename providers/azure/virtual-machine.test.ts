import * as pulumi from "@pulumi/pulumi";
import { beforeEach, describe, expect, it } from "vitest";
import type { CloudIdentity } from "../cloud-machine.ts";
import { makeAzureProvider } from "./native-provider.ts";
import { makeAzureNetwork } from "./network.ts";
import { makeOwnGroupRole } from "./own-group-role.ts";
import { type AzureMachineSpec, makeAzureMachine } from "./virtual-machine.ts";

const subscription = "0b1f6471-1bf0-4dda-aec3-cb9272f09590";
const environmentId = "5f0a1c9e-6a1e-4b59-9a5d-3f1f8a0f7d11";

interface Made {
  readonly type: string;
  readonly name: string;
  /** The id of what is taken over instead of made. */
  readonly id: string | undefined;
  readonly inputs: pulumi.runtime.MockResourceArgs["inputs"];
}

let made: Made[] = [];

/** What Azure would answer: an id made of the names, and addresses. */
function answer({ type, name, inputs, id }: pulumi.runtime.MockResourceArgs) {
  made.push({ type, name, inputs, id });
  const group = `/subscriptions/${subscription}/resourceGroups/${inputs.resourceGroupName}`;
  const kinds: Record<string, () => { id: string; state: object }> = {
    "azure-native:resources:ResourceGroup": () => ({ id: group, state: { name: inputs.resourceGroupName } }),
    "azure-native:network:VirtualNetwork": () => ({
      id: `${group}/providers/Microsoft.Network/virtualNetworks/${inputs.virtualNetworkName}`,
      state: {},
    }),
    "azure-native:network:PublicIPAddress": () => ({ id: `${group}/address`, state: { ipAddress: "203.0.113.40" } }),
    "azure-native:network:NetworkInterface": () => ({
      id: `${group}/card`,
      state: { ipConfigurations: [{ privateIPAddress: "10.200.0.4" }] },
    }),
    // Azure Compute writes groups in capitals now and then.
    "azure-native:compute:VirtualMachine": () => ({
      id: `${group.toUpperCase()}/providers/Microsoft.Compute/virtualMachines/${inputs.vmName}`,
      state: { vmId: "02AAB8A4-74ef-476e-8182-f6d2ba4166a6", identity: { ...inputs.identity, principalId: "principal-of-it" } },
    }),
  };
  const known = kinds[type]?.();
  return { id: known?.id ?? `${name}-id`, state: { ...inputs, ...known?.state } };
}

beforeEach(async () => {
  made = [];
  const mocks: pulumi.runtime.Mocks = { newResource: answer, call: ({ inputs }) => inputs };
  await pulumi.runtime.setMocks(mocks, "spillway", "prod", false);
});

function valueOf<T>(output: pulumi.Output<T>): Promise<T> {
  return new Promise((resolve) => {
    output.apply(resolve);
  });
}

const identity: CloudIdentity = { environment: "prod", environmentId, pool: "base", name: "base-1" };
const place = { subnetId: "/subscriptions/s/subnet", securityGroupId: "/subscriptions/s/nsg", resourceGroup: "the-environments-group" };
const plain: AzureMachineSpec = {
  identity,
  network: place,
  region: "westeurope",
  instanceType: "Standard_D2s_v5",
  arch: "x64",
  market: "on-demand",
  image: { distribution: "debian-12" },
  diskGiB: 40,
  address: "public",
  userData: "#cloud-config\n{}\n",
};
const bursting: AzureMachineSpec = { ...plain, market: "spot", identity: { ...identity, pool: "azure", name: "b7-n1", burst: "b7" } };

async function make(...specs: readonly AzureMachineSpec[]) {
  const provider = makeAzureProvider("azure", subscription);
  const machines = specs.map((spec) => makeAzureMachine(spec, { provider }));
  await Promise.all(machines.map(({ resource }) => valueOf(resource.urn)));
  return machines;
}

function only(type: string, name?: string): Made {
  const found = made.filter((one) => one.type === `azure-native:${type}` && (name === undefined || one.name === name));
  if (found.length !== 1 || found[0] === undefined) throw new Error(`${found.length} of ${type} were made`);
  return found[0];
}

describe("a machine of a node pool", () => {
  it("lets nobody log in with a password, and its user data is a secret", async () => {
    await make(plain);
    const sealed = only("compute:VirtualMachine").inputs.osProfile;
    expect(sealed).toHaveProperty([pulumi.runtime.specialSigKey], pulumi.runtime.specialSecretSig);
    const osProfile = sealed.value;
    expect(osProfile.linuxConfiguration.disablePasswordAuthentication).toBe(true);
    expect(osProfile).not.toHaveProperty("adminPassword");
    expect(osProfile.adminUsername).toBe("spillway");
    expect(Buffer.from(osProfile.customData, "base64").toString()).toBe(plain.userData);
  });

  it("takes a size that is known only while the program runs, and boots it as it can", async () => {
    await make({ ...plain, instanceType: pulumi.output("Standard_NC4as_T4_v3") });
    const { hardwareProfile, securityProfile } = only("compute:VirtualMachine").inputs;
    expect(hardwareProfile.vmSize).toBe("Standard_NC4as_T4_v3");
    expect(securityProfile).toEqual({ securityType: "TrustedLaunch", uefiSettings: { secureBootEnabled: false, vTpmEnabled: true } });
    made = [];
    await make({ ...plain, instanceType: pulumi.output("Standard_M8ms") });
    expect(only("compute:VirtualMachine").inputs).not.toHaveProperty("securityProfile");
  });

  it("has no identity that a task on it could use", async () => {
    await make(plain);
    expect(only("compute:VirtualMachine").inputs).not.toHaveProperty("identity");
    expect(made.some(({ type }) => type.startsWith("azure-native:authorization"))).toBe(false);
  });

  it("is made in the environment's group, under its own name, with tags on all that is made for it", async () => {
    await make(plain);
    const parts = made.filter(({ type }) => !type.startsWith("pulumi:"));
    expect(parts).toHaveLength(3);
    for (const { inputs } of parts) {
      expect(inputs.resourceGroupName).toBe("the-environments-group");
      expect(inputs.tags).toMatchObject({
        "spillway:environment-id": environmentId,
        "spillway:environment": "prod",
        "spillway:pool": "base",
        "spillway:node": "base-1",
      });
      expect(inputs.tags).not.toHaveProperty(["spillway:burst"]);
    }
    expect(only("compute:VirtualMachine").inputs.vmName).toBe("base-1");
  });

  it("takes its disk, interface and address along when it goes", async () => {
    await make(plain);
    const { storageProfile, networkProfile } = only("compute:VirtualMachine").inputs;
    expect(storageProfile.osDisk.deleteOption).toBe("Delete");
    expect(networkProfile.networkInterfaces).toMatchObject([{ deleteOption: "Delete", primary: true }]);
    expect(only("network:PublicIPAddress").inputs).toMatchObject({ deleteOption: "Delete", sku: { name: "Standard" } });
    expect(storageProfile.osDisk.diskSizeGB).toBe(64);
  });

  it("keeps a fixed address over its own replacement, under a name that stays", async () => {
    await make({ ...plain, address: "fixed" });
    expect(only("network:PublicIPAddress").inputs).toMatchObject({ deleteOption: "Detach", publicIpAddressName: "base-1-address" });
    expect(only("compute:VirtualMachine").inputs.networkProfile.networkInterfaces).toMatchObject([{ deleteOption: "Detach" }]);
  });

  it("gets a new interface when it is replaced, since the old one goes with it", async () => {
    await make(plain, { ...plain, identity: { ...identity, name: "base-2" }, zone: "2" });
    const [first, second] = ["base-1", "base-2"].map((name) => {
      const called: string = only("network:NetworkInterface", `${name}-interface`).inputs.networkInterfaceName;
      return called.replace(name, "");
    });
    expect(first).not.toBe(second);
    expect(only("compute:VirtualMachine", "base-2").inputs.zones).toEqual(["2"]);
  });

  it("without a public address is reached by its private one", async () => {
    const [machine] = await make({ ...plain, address: "private" });
    if (machine === undefined) throw new Error("nothing was made");
    expect(await valueOf(machine.host)).toBe("10.200.0.4");
    expect(made.some(({ type }) => type.endsWith("PublicIPAddress"))).toBe(false);
  });

  it("is known by its id in one spelling, and reached by its public address", async () => {
    const [machine] = await make(plain);
    if (machine === undefined) throw new Error("nothing was made");
    expect(await valueOf(machine.providerId)).toBe(
      `/subscriptions/${subscription}/resourcegroups/the-environments-group/providers/microsoft.compute/virtualmachines/base-1`,
    );
    expect(await valueOf(machine.host)).toBe("203.0.113.40");
    expect(await valueOf(machine.privateHost)).toBe("10.200.0.4");
    expect(await valueOf(machine.vmId)).toBe("02aab8a4-74ef-476e-8182-f6d2ba4166a6");
  });

  it("is taken over with its interface and address where it is there already", async () => {
    const group = `/subscriptions/${subscription}/resourceGroups/the-environments-group`;
    const provider = makeAzureProvider("azure", subscription);
    const there = `${group}/providers/Microsoft.Compute/virtualMachines/base-1`.toLowerCase();
    const machine = makeAzureMachine(plain, { provider, import: there });
    await valueOf(machine.resource.urn);
    const card = only("network:NetworkInterface");
    expect(only("compute:VirtualMachine").id).toBe(`${group}/providers/Microsoft.Compute/virtualMachines/base-1`);
    expect(card.id).toBe(`${group}/providers/Microsoft.Network/networkInterfaces/${card.inputs.networkInterfaceName}`);
    expect(only("network:PublicIPAddress").id).toContain("/providers/Microsoft.Network/publicIPAddresses/base-1-address-");
  });

  it("boots with a secure boot and a virtual TPM where image and size can", async () => {
    await make(plain);
    expect(only("compute:VirtualMachine").inputs.securityProfile).toEqual({
      securityType: "TrustedLaunch",
      uefiSettings: { secureBootEnabled: true, vTpmEnabled: true },
    });
  });
});

describe("the machines of a burst", () => {
  const sibling: AzureMachineSpec = { ...bursting, identity: { ...bursting.identity, name: "b7-n2" } };

  it("share one group, which holds all that they are made of", async () => {
    await make(bursting, sibling);
    const group = only("resources:ResourceGroup").inputs;
    expect(group.resourceGroupName).toBe(`spillway-${environmentId}-b7`);
    expect(group.tags).toMatchObject({ "spillway:environment-id": environmentId, "spillway:burst": "b7" });
    const parts = made.filter(({ inputs }) => inputs.location !== undefined && inputs.vmName !== undefined);
    expect(parts.map(({ inputs }) => inputs.resourceGroupName)).toEqual(Array(2).fill(group.resourceGroupName));
  });

  it("have a group of their own in each run of the program, also in one process", async () => {
    await make(bursting);
    await make(bursting);
    expect(made.filter(({ type }) => type === "azure-native:resources:ResourceGroup")).toHaveLength(2);
  });

  it("may each delete that group and nothing beyond it", async () => {
    await make(bursting, sibling);
    const grants = made.filter(({ type }) => type === "azure-native:authorization:RoleAssignment");
    expect(grants).toHaveLength(2);
    for (const { inputs } of grants) {
      expect(inputs.scope).toBe(`/subscriptions/${subscription}/resourceGroups/spillway-${environmentId}-b7`);
      expect(inputs).toMatchObject({ principalId: "principal-of-it", principalType: "ServicePrincipal" });
    }
    expect(new Set(grants.map(({ inputs }) => inputs.roleAssignmentName)).size).toBe(2);
  });

  it("on the spot market are deleted when Azure wants them back, and cost no more than is allowed", async () => {
    await make(bursting, { ...sibling, maxSpotPrice: 0.040019 });
    expect(only("compute:VirtualMachine", "b7-n1").inputs).toMatchObject({
      priority: "Spot",
      evictionPolicy: "Delete",
      billingProfile: { maxPrice: -1 },
    });
    expect(only("compute:VirtualMachine", "b7-n2").inputs.billingProfile).toEqual({ maxPrice: 0.04001 });
  });
});

describe("the role of a burst's machines", () => {
  it("is the one that they are given, and can make nothing", async () => {
    const provider = makeAzureProvider("azure", subscription);
    const subnetId = `/subscriptions/${subscription}/resourceGroups/g/providers/Microsoft.Network/virtualNetworks/machines/subnets/machines`;
    const role = makeOwnGroupRole("own-group", { environment: "prod", environmentId, subnetId }, { provider });
    const machine = makeAzureMachine(bursting, { provider });
    await Promise.all([valueOf(role.urn), valueOf(machine.resource.urn)]);
    const definition = only("authorization:RoleDefinition").inputs;
    expect(only("authorization:RoleAssignment").inputs.roleDefinitionId).toBe(
      `/subscriptions/${subscription}/providers/Microsoft.Authorization/roleDefinitions/${definition.roleDefinitionId}`,
    );
    expect(definition.roleDefinitionId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(definition.assignableScopes).toEqual([`/subscriptions/${subscription}`]);
    const actions: string[] = definition.permissions[0].actions;
    expect(actions.every((action) => action.endsWith("/delete") || action === "Microsoft.Compute/virtualMachines/read")).toBe(true);
    expect(actions.some((action) => action.includes("*"))).toBe(false);
  });
});

describe("the network", () => {
  async function makeNetwork(more: object = {}) {
    const provider = makeAzureProvider("azure", subscription);
    const result = makeAzureNetwork(
      "azure-westeurope",
      {
        environment: "prod",
        environmentId,
        region: "westeurope",
        zones: [],
        sshFrom: ["203.0.113.7/32"],
        masterPort: 7070,
        masterFrom: ["198.51.100.0/24"],
        ...more,
      },
      { provider },
    );
    await Promise.all(result.resources.map(({ urn }) => valueOf(urn)));
    return result;
  }

  it("has a group of its own and a private subnet behind the rules", async () => {
    const network = await makeNetwork();
    expect(await valueOf(network.resourceGroup)).toBe(`spillway-${environmentId}-westeurope`);
    expect(await valueOf(network.subnetId)).toBe(
      `/subscriptions/${subscription}/resourceGroups/spillway-${environmentId}-westeurope/providers/Microsoft.Network/virtualNetworks/machines/subnets/machines`,
    );
    const [subnet] = only("network:VirtualNetwork").inputs.subnets;
    expect(subnet).toMatchObject({ defaultOutboundAccess: false, networkSecurityGroup: { id: await valueOf(network.securityGroupId) } });
    expect(subnet).not.toHaveProperty("natGateway");
    for (const { type, inputs } of made)
      if (type.startsWith("azure-native")) expect(inputs.tags).toMatchObject({ "spillway:environment-id": environmentId });
  });

  it("lets in SSH from where it is dialled and the master's port from its callers, and nothing else from the Internet", async () => {
    await makeNetwork();
    const rules: Record<string, unknown>[] = only("network:NetworkSecurityGroup").inputs.securityRules;
    const allowed = rules.filter(({ access }) => access === "Allow");
    expect(allowed).toMatchObject([
      { destinationPortRange: "22", sourceAddressPrefixes: ["203.0.113.7/32"] },
      { destinationPortRange: "7070", sourceAddressPrefix: "VirtualNetwork" },
      { destinationPortRange: "7070", sourceAddressPrefixes: ["198.51.100.0/24"] },
    ]);
    expect(rules.at(-1)).toMatchObject({ access: "Deny", sourceAddressPrefix: "Internet", destinationPortRange: "*", protocol: "*" });
  });

  it("has a way out for machines with private addresses where that is wanted", async () => {
    await makeNetwork({ natGateway: true });
    expect(only("network:VirtualNetwork").inputs.subnets[0]).toHaveProperty("natGateway.id");
  });
});
