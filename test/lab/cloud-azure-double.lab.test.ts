/** The Azure of the tests with machines in the lab: a program of the real @pulumi/azure-native makes machines that boot, answer and go. */
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ComputeManagementClient } from "@azure/arm-compute";
import { RoleAssignment } from "@pulumi/azure-native/authorization/roleAssignment.js";
import { RoleDefinition } from "@pulumi/azure-native/authorization/roleDefinition.js";
import { VirtualMachine } from "@pulumi/azure-native/compute/virtualMachine.js";
import { NetworkInterface } from "@pulumi/azure-native/network/networkInterface.js";
import { NetworkSecurityGroup } from "@pulumi/azure-native/network/networkSecurityGroup.js";
import { PublicIPAddress } from "@pulumi/azure-native/network/publicIPAddress.js";
import { VirtualNetwork } from "@pulumi/azure-native/network/virtualNetwork.js";
import { ResourceGroup } from "@pulumi/azure-native/resources/resourceGroup.js";
import * as pulumi from "@pulumi/pulumi";
import { afterAll, beforeAll, expect, test } from "vitest";
import { stringify } from "yaml";
import { type AzureCloud, startAzureCloud } from "../doubles/azure-cloud.ts";
import { type CloudStack, cloudStack } from "../doubles/engine.ts";
import { waitUntil } from "../support/wait-until.ts";
import { type CloudHost, labCloudHosts } from "./support/cloud-host.ts";
import { bootLab, type Lab } from "./support/lab.ts";
import { outputOf, runProgram } from "./support/run-program.ts";
import { sshAnswers, sshArgv } from "./support/ssh-client.ts";

const location = "westeurope";
let lab: Lab;
let cloud: AzureCloud<CloudHost>;
let compute: ComputeManagementClient;
let stack: CloudStack;
let seedKey = "";
let customData = "";
/** Of these, what begins with `b` is a burst's: in a group of its own, which it may delete. */
let names: readonly string[] = [];
const addresses = new Map<string, string>();

/** Lets in the lab's key as `spillway`, and shows the seed's host key. */
function cloudConfig(privateKey: string, publicKey: string): string {
  return `#cloud-config\n${stringify({
    ssh_deletekeys: true,
    ssh_keys: { ecdsa_private: privateKey, ecdsa_public: publicKey },
    disable_root: true,
    ssh_pwauth: false,
    users: [
      {
        name: "spillway",
        shell: "/bin/bash",
        sudo: "ALL=(ALL) NOPASSWD:ALL",
        ssh_authorized_keys: [readFileSync(`${lab.keyFile}.pub`, "utf8").trim()],
      },
    ],
  })}`;
}

const program = async () => {
  const group = new ResourceGroup("shared", { resourceGroupName: "shared", location });
  const place = { resourceGroupName: group.name, location };
  const security = new NetworkSecurityGroup("security", { ...place, networkSecurityGroupName: "machines" });
  const network = new VirtualNetwork("network", {
    ...place,
    virtualNetworkName: "machines",
    addressSpace: { addressPrefixes: ["10.200.0.0/16"] },
    subnets: [{ name: "machines", addressPrefix: "10.200.0.0/17", networkSecurityGroup: { id: security.id } }],
  });
  const scope = `/subscriptions/${cloud.subscription}`;
  const role = new RoleDefinition("role", {
    roleDefinitionId: "6d5f2b4e-6a0c-4d57-9d0a-2a1b3c4d5e6f",
    roleName: "ends its own group",
    scope,
    assignableScopes: [scope],
    permissions: [{ actions: ["Microsoft.Resources/subscriptions/resourceGroups/delete"] }],
  });
  const subnet = { id: pulumi.interpolate`${network.id}/subnets/machines` };
  return Object.fromEntries(names.map((name) => [name, machine(name, { group, subnet, role })]));
};

interface Around {
  readonly group: ResourceGroup;
  readonly subnet: { readonly id: pulumi.Input<string> };
  readonly role: RoleDefinition;
}

/** Returns its public address. */
function machine(name: string, { group: shared, subnet, role }: Around): pulumi.Output<string | undefined> {
  const isBurst = name.startsWith("b");
  const group = isBurst ? new ResourceGroup(name, { resourceGroupName: `burst-${name}`, location }) : shared;
  const place = { resourceGroupName: group.name, location, tags: { Name: name, "spillway:node": name } };
  const address = new PublicIPAddress(name, {
    ...place,
    publicIpAddressName: name,
    sku: { name: "Standard" },
    publicIPAllocationMethod: "Static",
    deleteOption: "Delete",
  });
  const card = new NetworkInterface(name, {
    ...place,
    networkInterfaceName: name,
    ipConfigurations: [{ name: "machine", subnet, publicIPAddress: { id: address.id, deleteOption: "Delete" } }],
  });
  const made = new VirtualMachine(name, {
    ...place,
    vmName: name,
    hardwareProfile: { vmSize: "Standard_D2s_v5" },
    ...(isBurst
      ? { priority: "Spot", evictionPolicy: "Delete", billingProfile: { maxPrice: -1 }, identity: { type: "SystemAssigned" } }
      : {}),
    storageProfile: {
      imageReference: { publisher: "Debian", offer: "debian-12", sku: "12-gen2", version: "latest" },
      osDisk: { name: `${name}-disk`, createOption: "FromImage", deleteOption: "Delete" },
    },
    osProfile: { computerName: name, adminUsername: "spillway", customData: pulumi.secret(customData) },
    networkProfile: { networkInterfaces: [{ id: card.id, primary: true, deleteOption: "Delete" }] },
  });
  if (isBurst)
    void new RoleAssignment(name, {
      roleAssignmentName: `0b7ad4a2-51a5-4c37-8a5e-${Buffer.from(name.padEnd(6, "-")).toString("hex")}`,
      roleDefinitionId: role.id,
      scope: group.id,
      principalId: made.identity.apply((identity) => identity?.principalId ?? ""),
      principalType: "ServicePrincipal",
    });
  return address.ipAddress;
}

beforeAll(async () => {
  lab = await bootLab({ hosts: 0 });
  cloud = await startAzureCloud(await labCloudHosts(lab));
  compute = computeClient();
  const seed = join(lab.directory, "seed");
  await outputOf(["ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-C", "", "-f", seed]);
  seedKey = readFileSync(`${seed}.pub`, "utf8").trim();
  customData = Buffer.from(cloudConfig(readFileSync(seed, "utf8"), seedKey)).toString("base64");
  stack = await cloudStack({ program, environment: cloud.environment, plugin: "azure-native", under: lab.directory });
});
afterAll(async () => {
  try {
    await cloud?.stop();
  } finally {
    stack?.remove();
    await lab?.close();
  }
});

/** Azure's own SDK; it sends no token where there is no TLS, so here its header is set by hand. */
function computeClient(): ComputeManagementClient {
  const { environment, subscription, url } = cloud;
  const token = environment.AZURE_ACCESS_TOKEN ?? "";
  const credential = { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3_600_000 }) };
  const client = new ComputeManagementClient(credential, subscription, { endpoint: url, allowInsecureConnection: true });
  client.pipeline.removePolicy({ name: "bearerTokenAuthenticationPolicy" });
  client.pipeline.addPolicy({
    name: "bearer",
    sendRequest(request, next) {
      request.headers.set("authorization", `Bearer ${token}`);
      return next(request);
    },
  });
  return client;
}

async function up(...wanted: string[]): Promise<void> {
  names = wanted;
  const { outputs } = await stack.stack.up();
  for (const [name, output] of Object.entries(outputs)) addresses.set(name, String(output.value));
}

function machineIdOf(name: string): string {
  const group = name.startsWith("b") ? `burst-${name}` : "shared";
  return `/subscriptions/${cloud.subscription}/resourceGroups/${group}/providers/Microsoft.Compute/virtualMachines/${name}`;
}

function host(name: string): CloudHost {
  return cloud.hostOf(machineIdOf(name));
}

async function powerOf(name: string): Promise<string | undefined> {
  const { statuses = [] } = await compute.virtualMachines.instanceView("shared", name);
  return statuses.map(({ code }) => code).find((code) => code?.startsWith("PowerState/"));
}

async function overSsh(name: string, address: string, user: string, line: string) {
  const target = { name, address, sshPort: 22, hostPublicKey: seedKey, keyFile: lab.keyFile } as const;
  return await runProgram([...sshArgv(target, user), "--", line]);
}

const asks = `
import json, sys, urllib.request
method, path, headers = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
request = urllib.request.Request("http://169.254.169.254" + path, method=method, headers=headers)
try:
    with urllib.request.urlopen(request, timeout=5) as answer: print(answer.status, answer.read().decode())
except urllib.error.HTTPError as error: print(error.code)
`;

/** Status and body of an answer, asked inside. */
async function ask(from: CloudHost, method: string, path: string, headers: Record<string, string> = { Metadata: "true" }): Promise<string> {
  return (await from.read(["python3", "-c", asks, method, path, JSON.stringify(headers)])).trim();
}

test("a machine comes up with the host key and the user of its custom data, and nobody else gets in", async () => {
  await up("one", "b1");
  const made = await compute.virtualMachines.get("shared", "one", { expand: "instanceView" });
  expect(made).toMatchObject({ provisioningState: "Succeeded", vmId: expect.any(String) });
  expect(JSON.stringify(made)).not.toContain(customData);
  const address = addresses.get("one") ?? "";
  expect(address).not.toBe(host("one").address);
  await waitUntil("it answers", () => sshAnswers(address, 500), 60_000);
  // Until then cloud-init may start sshd anew, under a connection's feet.
  expect((await host("one").exec(["cloud-init", "status", "--wait"])).stdout).toContain("status: done");
  expect((await overSsh("one", address, "spillway", "true")).code).toBe(0);
  expect(await overSsh("one", address, "spillway", "sudo -n id -un")).toMatchObject({ code: 0, stdout: "root\n" });
  expect((await overSsh("one", host("one").address, "root", "true")).code).not.toBe(0);
  expect((await host("one").read(["hostname"])).trim()).toBe("one");
});

test("its metadata tell who it is, to itself, and are signed under Azure's root", async () => {
  const one = host("one");
  expect(await ask(one, "GET", "/metadata/instance?api-version=2021-02-01", {})).toBe("400");
  expect(await ask(one, "GET", "/metadata/instance/compute/name?api-version=2021-02-01&format=text")).toBe("200 one");
  const document = JSON.parse((await ask(one, "GET", "/metadata/instance?api-version=2021-02-01")).slice(4)) as { compute: object };
  const { vmId } = await compute.virtualMachines.get("shared", "one");
  expect(document.compute).toMatchObject({ vmId, location, vmSize: "Standard_D2s_v5", resourceId: machineIdOf("one") });
  const attested = JSON.parse((await ask(one, "GET", "/metadata/attested/document?api-version=2020-09-01&nonce=abc123")).slice(4)) as {
    signature: string;
  };
  const [message, root] = [join(lab.directory, "attested.p7"), join(lab.directory, "attested-root.pem")];
  writeFileSync(message, Buffer.from(attested.signature, "base64"));
  writeFileSync(root, cloud.identityAuthorities.join("\n"));
  const words = ["cms", "-verify", "-inform", "DER", "-in", message, "-CAfile", root, "-purpose", "any"];
  const said = execFileSync("openssl", words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  expect(JSON.parse(said)).toMatchObject({ nonce: "abc123", vmId, subscriptionId: cloud.subscription });
  expect(await ask(one, "GET", "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https://management.azure.com/")).toBe(
    "400",
  );
});

test("a machine that powers itself off is stopped and not gone; started by the SDK it is on again", async () => {
  await host("one").exec(["systemctl", "--no-block", "poweroff"]);
  await waitUntil("it is stopped", async () => (await powerOf("one")) === "PowerState/stopped", 60_000);
  await compute.virtualMachines.beginStartAndWait("shared", "one", { updateIntervalInMs: 50 });
  expect(await powerOf("one")).toBe("PowerState/running");
  await waitUntil("it answers", () => sshAnswers(addresses.get("one") ?? "", 500), 60_000);
});

test("a machine that the SDK deletes is gone with its host, address and disk", async () => {
  const one = host("one");
  await compute.virtualMachines.beginDeleteAndWait("shared", "one", { updateIntervalInMs: 50 });
  expect(one.isOn()).toBe(false);
  await expect(compute.virtualMachines.get("shared", "one")).rejects.toMatchObject({ statusCode: 404, code: "ResourceNotFound" });
  expect(cloud.arm.ids().filter((id) => /\/one(-disk)?$/.test(id))).toEqual([]);
  expect(await sshAnswers(addresses.get("one") ?? "", 500)).toBe(false);
});

test("a burst's machine deletes its own group by its identity, and nothing else", async () => {
  const burst = host("b1");
  const answer = await ask(
    burst,
    "GET",
    "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fmanagement.azure.com%2F",
  );
  const { access_token: token } = JSON.parse(answer.slice(4)) as { access_token: string };
  const authorization = { Authorization: `Bearer ${token}` };
  const groups = `/subscriptions/${cloud.subscription}/resourceGroups`;
  expect(await ask(burst, "DELETE", `${groups}/shared?api-version=2024-11-01`, authorization)).toBe("403");
  expect(await ask(burst, "DELETE", `${groups}/burst-b1?api-version=2024-11-01`, authorization)).toBe("202");
  await waitUntil("its group is gone", () => !cloud.arm.ids().some((id) => /burst-b1/.test(id)), 60_000);
  expect(burst.isOn()).toBe(false);
  expect(cloud.machines()).toEqual([]);
});

test("a preempt notice is read on the machine, and then the machine is taken back", async () => {
  await stack.stack.refresh();
  await up("b2");
  const spot = host("b2");
  const path = "/metadata/scheduledevents?api-version=2020-07-01";
  expect(JSON.parse((await ask(spot, "GET", path)).slice(4))).toMatchObject({ Events: [] });
  // Time enough to read it, on a busy computer too.
  cloud.preemptNotice(machineIdOf("b2"), 6);
  expect(JSON.parse((await ask(spot, "GET", path)).slice(4))).toMatchObject({
    Events: [{ EventType: "Preempt", Resources: ["b2"], NotBefore: expect.stringMatching(/GMT$/) }],
  });
  await waitUntil("it is gone", () => cloud.machines().length === 0, 30_000);
  expect(spot.isOn()).toBe(false);
});

test("a machine without a network runs for Azure, and answers nobody", async () => {
  cloud.faults.bootWithoutNetwork();
  await up("four");
  expect(await powerOf("four")).toBe("PowerState/running");
  expect(await sshAnswers(host("four").address, 1_000)).toBe(false);
});

test("destroy leaves nothing in Azure and no host in the lab", async () => {
  await stack.stack.refresh();
  await stack.stack.destroy();
  expect(await stack.exported()).toEqual([]);
  expect(cloud.arm.ids()).toEqual([]);
  expect(cloud.arm.unknown).toEqual([]);
  expect(cloud.machines()).toEqual([]);
  expect(lab.leftovers()).toMatchObject({ processes: [], mounts: [], controlGroups: [] });
});
