import * as pulumi from "@pulumi/pulumi";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { cloudsOf, loadClouds } from "./clouds.ts";
import { Environment } from "./environment.ts";
import { parseSettings } from "./settings.ts";
import { stateLayout } from "./state-layout.ts";

interface Made {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
}

let made: Made[] = [];
beforeEach(async () => {
  made = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        made.push({ type, name, inputs });
        const { pool, provider, host, hostKey = "SHA256:own" } = inputs as Record<string, unknown>;
        const machine = { name, pool, provider, host, hostKey };
        const own = { machine, environmentId: "env-a", endpoint: "https://pool.example.org:7070", instance: "i-1", hostKey: "SHA256:seed" };
        const cloud = { publicIp: "203.0.113.9", privateIp: "10.0.0.9", availabilityZone: "eu-central-1a", ipAddress: "203.0.113.10" };
        const vmId = "11111111-2222-3333-4444-555555555555";
        const card = type.endsWith(":NetworkInterface") ? { ipConfigurations: [{ privateIPAddress: "10.1.0.4" }] } : {};
        const id = type.endsWith(":VirtualMachine")
          ? `/subscriptions/s/resourceGroups/g/providers/Microsoft.Compute/virtualMachines/${name}`
          : `${name}-id`;
        const choice = type.endsWith(":InstanceChoice") ? { instanceType: "m7i.xlarge", hourly: 0.247 } : {};
        return { id, state: { ...inputs, ...choice, userData: "#cloud-config", ...own, ...cloud, ...card, vmId } };
      },
      call: ({ inputs, token }) =>
        token.endsWith("getAvailabilityZones") ? { names: ["eu-central-1a", "eu-central-1b"] } : { ...inputs, id: "ami-0123456789abcdef0" },
    },
    "spillway",
    "prod",
  );
});

afterEach(() => vi.unstubAllEnvs());

const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHhM2QmM5cYf0ZJXl6Qq6vTqf8n8nJ2mXlXb5e1d1h3V";
const cloud = { authorizedKeys: [key], sshFrom: ["203.0.113.7/32"] };
const rack = { provider: "ssh", hosts: [{ host: "192.0.2.11", trustOnFirstUse: true }] };
const settings = {
  masters: { pool: "rack", endpoint: "https://pool.example.org:7070" },
  pools: { rack, base: { provider: "aws", region: "eu-central-1", instanceType: "m7g.large", count: 2, ...cloud } },
};

async function resourcesOf(value: object): Promise<Made[]> {
  const parsed = parseSettings(value);
  const environment = new Environment("prod", parsed, stateLayout("prod"), { clouds: await loadClouds(cloudsOf(parsed)) });
  await new Promise((resolve) => environment.pool.apply(resolve));
  return made;
}

const ofType = (all: readonly Made[], type: string) => all.filter((one) => one.type.endsWith(type));

it("makes of a cloud's node pool one network, and for each machine its seed, the machine and the host that we know", async () => {
  const all = await resourcesOf(settings);
  expect(ofType(all, ":Vpc")).toHaveLength(1);
  expect(ofType(all, ":Instance").map(({ name }) => name)).toEqual(["base-1", "base-2"]);
  expect(ofType(all, ":MachineSeed").map(({ inputs }) => inputs)).toEqual([
    { name: "base-1", user: "spillway", authorizedKeys: [key], born: JSON.stringify({ authorizedKeys: [key] }) },
    { name: "base-2", user: "spillway", authorizedKeys: [key], born: JSON.stringify({ authorizedKeys: [key] }) },
  ]);
  expect(ofType(all, ":CloudHost").map(({ inputs }) => inputs)).toMatchObject([
    {
      name: "base-1",
      provider: "aws",
      providerId: "base-1-id",
      host: "203.0.113.9",
      seedHostKey: "SHA256:seed",
      attributes: { cloud: "aws", region: "eu-central-1", zone: "eu-central-1a", market: "on-demand", arch: "arm64" },
    },
    { name: "base-2" },
  ]);
  expect(new Set(ofType(all, ":Node").map(({ name }) => name))).toEqual(new Set(["node-rack-192-0-2-11", "node-base-1", "node-base-2"]));
});

it("gives the machine's user data, which holds its first host key, to nobody in the clear", async () => {
  const [instance] = ofType(await resourcesOf(settings), ":Instance");
  expect(Object.keys(instance?.inputs ?? {})).toContain("userDataBase64");
  expect(instance?.inputs.userDataBase64).not.toContain("cloud-config");
});

it("hands the networks that it has made to the burst pools of the same region, and makes one where bursts alone need it", async () => {
  const bursts = {
    pools: { overflow: { provider: "aws", regions: ["eu-central-1", "us-east-1"], ...cloud } },
    maxNodes: 4,
    budget: { perDay: 10 },
  };
  const all = await resourcesOf({ ...settings, burst: bursts });
  expect(ofType(all, ":Vpc").map(({ name }) => name)).toEqual(["network-aws-eu-central-1", "network-aws-us-east-1"]);
  const [burster] = ofType(all, ":Burster");
  const pools = burster?.inputs.pools as
    | Record<string, { networks: Record<string, { subnets: object; securityGroups: string[] }> }>
    | undefined;
  const networks = pools?.overflow?.networks ?? {};
  expect(Object.keys(networks)).toEqual(["eu-central-1", "us-east-1"]);
  expect(networks["eu-central-1"]?.subnets).toHaveProperty("eu-central-1a");
  expect(networks["eu-central-1"]?.securityGroups).toEqual(["network-aws-eu-central-1-id"]);
});

it("makes machines that join by themselves after the master, with what they are born with, and moves none of them", async () => {
  const self = { ...settings.pools.base, count: 1, join: "cloud-init" };
  const all = await resourcesOf({ ...settings, pools: { rack, base: self } });
  const [seed] = ofType(all, ":MachineSeed");
  expect(seed?.inputs).toMatchObject({
    name: "base-1",
    endpoint: "https://pool.example.org:7070",
    join: { cloud: "aws", arch: "arm64", environment: "prod", environmentId: "env-a", lifeMs: 600_000 },
  });
  expect(all.findIndex(({ type }) => type.endsWith(":Master"))).toBeLessThan(all.indexOf(seed as Made));
  expect(ofType(all, ":CloudHost").map(({ inputs }) => inputs.join)).toEqual(["cloud-init"]);
  const [rollout] = ofType(all, ":Rollout");
  expect(rollout?.inputs.nodes).toHaveLength(1);
});

const byRequirements = (over: object = {}) => {
  const { instanceType: _, ...base } = settings.pools.base;
  return { ...settings, pools: { rack, base: { ...base, types: { cpu: [4, 8] }, ...over } } };
};

it("chooses one type for a pool that says what it must have, and makes all its machines of it", async () => {
  vi.stubEnv("SPILLWAY_PRICES", "/nowhere");
  const all = await resourcesOf({ ...byRequirements({ market: "spot", disk: "40Gi" }), guards: { types: ["m7*"] } });
  expect(ofType(all, ":InstanceChoice").map(({ name, inputs }) => ({ name, inputs }))).toEqual([
    {
      name: "type-base",
      inputs: {
        pool: "base",
        cloud: "aws",
        region: "eu-central-1",
        zones: [],
        // Those of the network that is made there.
        landing: ["eu-central-1a", "eu-central-1b"],
        market: "spot",
        requirements: { cpu: [4, 8], arch: ["x64"], bareMetal: false, burstable: false },
        allowed: ["m7*"],
        diskGiB: 40,
        address: "public",
      },
    },
  ]);
  expect(ofType(all, ":Instance").map(({ inputs }) => inputs.instanceType)).toEqual(["m7i.xlarge", "m7i.xlarge"]);
  expect(ofType(all, ":CloudHost").map(({ inputs }) => inputs)).toMatchObject([
    { price: { hourly: 0.247 }, attributes: { instanceType: "m7i.xlarge", arch: "x64" } },
    { price: { hourly: 0.247 } },
  ]);
});

it("looks for the type in the zones that are written, and starts its machines from the image of the wanted processor", async () => {
  const all = await resourcesOf(byRequirements({ zones: ["eu-central-1b"], types: { arch: ["arm64"] }, join: "cloud-init", count: 1 }));
  expect(ofType(all, ":InstanceChoice")[0]?.inputs).toMatchObject({ zones: ["eu-central-1b"], landing: [] });
  const [seed] = ofType(all, ":MachineSeed");
  expect(seed?.inputs.join).toMatchObject({ arch: "arm64" });
  // Another type is another machine, which needs a token of its own.
  expect(JSON.parse(String(seed?.inputs.born))).toMatchObject({ instanceType: "m7i.xlarge" });
});

it("chooses nothing where the type is written", async () => {
  expect(ofType(await resourcesOf(settings), ":InstanceChoice")).toEqual([]);
});

it("loads no cloud's code where the settings name none", () => {
  const { base: _base, ...pools } = settings.pools;
  expect(cloudsOf(parseSettings({ ...settings, pools }))).toEqual([]);
});

it("tunnels to machines in clouds alone, and has a burster for that where it does not burst", async () => {
  const masters = { pool: "rack", reach: "reverse" };
  const all = await resourcesOf({ ...settings, masters });
  const reaches = ofType(all, ":Node").map(({ name, inputs }) => [name, inputs.reach]);
  expect(Object.fromEntries(reaches)).toEqual({ "node-rack-192-0-2-11": undefined, "node-base-1": "reverse", "node-base-2": "reverse" });
  const [burster] = ofType(all, ":Burster");
  expect(burster?.inputs).toMatchObject({ reach: "reverse", pools: {}, tunnels: [{ name: "base-1" }, { name: "base-2" }] });
  expect(burster?.inputs).not.toHaveProperty("policy");
});

it("has neither tunnels nor such a burster where machines dial the master", async () => {
  const all = await resourcesOf(settings);
  expect(ofType(all, ":Burster")).toEqual([]);
  expect(ofType(all, ":Node").filter(({ inputs }) => "reach" in inputs)).toEqual([]);
});

const masterInCloud = (pools: object, burst?: object) => ({
  masters: { pool: "head" },
  pools: { head: { ...settings.pools.base, count: 1, masterFrom: ["203.0.113.0/24"] }, ...pools },
  ...(burst === undefined ? {} : { burst: { pools: burst, maxNodes: 4, budget: { perDay: 10 } } }),
});
const elsewhere = { ...settings.pools.base, region: "us-east-1", zones: ["us-east-1a"], count: 1 };

it("names a master in a cloud by its private address too, which the machines of its network dial, and no others", async () => {
  const all = await resourcesOf(masterInCloud({ base: settings.pools.base, far: elsewhere }));
  const [master] = ofType(all, ":Master");
  expect(master?.inputs).toMatchObject({ advertise: "https://203.0.113.9:7070", alsoAt: ["https://10.0.0.9:7070"] });
  const inside = { endpoint: "https://pool.example.org:7070", dials: "https://10.0.0.9:7070" };
  const nodes = Object.fromEntries(ofType(all, ":Node").map(({ name, inputs: { endpoint, dials } }) => [name, { endpoint, dials }]));
  expect(nodes).toEqual({
    "node-head-1": inside,
    "node-base-1": inside,
    "node-base-2": inside,
    "node-far-1": { endpoint: inside.endpoint, dials: undefined },
  });
});

it("keeps the port of the master's own URL where its private address is dialled", async () => {
  const masters = { pool: "head", endpoint: "https://pool.example.org:8443" };
  const all = await resourcesOf({ ...masterInCloud({}), masters });
  expect(ofType(all, ":Master")[0]?.inputs).toMatchObject({ advertise: masters.endpoint, alsoAt: ["https://10.0.0.9:8443"] });
});

it("tells the burster which of its regions are in the master's network, and nothing of it where none is", async () => {
  const buying = (regions: string[]) => ({ overflow: { provider: "aws", regions, ...cloud } });
  const nearbyOf = async (regions: string[]) => ofType(await resourcesOf(masterInCloud({}, buying(regions))), ":Burster")[0]?.inputs.nearby;
  expect(await nearbyOf(["us-east-1", "eu-central-1"])).toEqual({
    endpoint: "https://10.0.0.9:7070",
    regions: { overflow: ["eu-central-1"] },
  });
  made = [];
  expect(await nearbyOf(["us-east-1"])).toBeUndefined();
});

it("gives a master on a host, its nodes and its burster the inputs that they always had", async () => {
  const bursts = { pools: { overflow: { provider: "aws", regions: ["eu-central-1"], ...cloud } }, maxNodes: 4, budget: { perDay: 10 } };
  const all = await resourcesOf({ ...settings, burst: bursts });
  const keys = [":Master", ":Node", ":Burster"].flatMap((type) => ofType(all, type).flatMap(({ inputs }) => Object.keys(inputs)));
  expect(keys).toContain("endpoint");
  for (const later of ["alsoAt", "dials", "nearby"]) expect(keys).not.toContain(later);
});

it("dials a master in Azure from inside too, by the address of its machine's interface", async () => {
  vi.stubEnv("AZURE_SUBSCRIPTION_ID", "11111111-2222-3333-4444-555555555555");
  const head = { provider: "azure", region: "westeurope", instanceType: "Standard_D2s_v5", masterFrom: ["203.0.113.0/24"], ...cloud };
  const all = await resourcesOf({ masters: { pool: "head" }, pools: { head } });
  expect(ofType(all, ":Master")[0]?.inputs).toMatchObject({ advertise: "https://203.0.113.10:7070", alsoAt: ["https://10.1.0.4:7070"] });
  expect(ofType(all, ":Node").map(({ inputs }) => inputs.dials)).toEqual(["https://10.1.0.4:7070"]);
});
