/** The Azure of the tests by its API: what it refuses, what it keeps, and what goes wrong on command. Machines are only remembered. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import { waitUntil } from "../../support/wait-until.ts";
import { type AzureCloud, startAzureCloud } from "../azure-cloud.ts";
import type { PlacedHost } from "../cloud-hosts.ts";

const location = "westeurope";
let cloud: AzureCloud<PlacedHost>;
let groups = 0;
/** Each test has its own. */
let group = "";
let network = "";

beforeAll(async () => {
  cloud = await startAzureCloud();
}, 30_000);
beforeEach(async () => {
  group = `/subscriptions/${cloud.subscription}/resourceGroups/g${++groups}`;
  network = `${group}/providers/Microsoft.Network`;
  await put(group, { location });
  const subnets = [{ name: "machines", properties: { addressPrefix: "10.0.0.0/24" } }];
  await put(`${network}/virtualNetworks/net`, { location, properties: { addressSpace: { addressPrefixes: ["10.0.0.0/16"] }, subnets } });
});
afterEach(() => cloud.faults.mend());
afterAll(async () => {
  await cloud?.stop();
});

interface Told {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Record<string, unknown> & { error?: { code: string } };
}

async function ask(method: string, id: string, body?: object, token = cloud.environment.AZURE_ACCESS_TOKEN): Promise<Told> {
  const response = await fetch(new URL(id.includes("?") ? id : `${id}?api-version=2024-11-01`, cloud.url), {
    method,
    headers: { authorization: `Bearer ${token}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: text === "" ? {} : (JSON.parse(text) as Told["body"]) };
}

async function put(id: string, body: object): Promise<Told> {
  const told = await ask("PUT", id, body);
  expect(told.body.error).toBeUndefined();
  return told;
}

/** Looks at an operation until it is done; returns how it ended and how many looks that took. */
async function settled({ headers }: Told): Promise<{ status: unknown; code: string | undefined; looks: number }> {
  const url = headers.get("azure-asyncoperation") ?? "";
  for (let looks = 1; ; looks++) {
    const { body } = await ask("GET", url);
    if (body.status !== "InProgress") return { status: body.status, code: body.error?.code, looks };
  }
}

function machineId(name: string): string {
  return `${group}/providers/Microsoft.Compute/virtualMachines/${name}`;
}

async function putParts(name: string): Promise<void> {
  const address = `${network}/publicIPAddresses/${name}`;
  await put(address, { location, sku: { name: "Standard" }, properties: { publicIPAllocationMethod: "Static", deleteOption: "Delete" } });
  const properties = { subnet: { id: `${network}/virtualNetworks/net/subnets/machines` }, publicIPAddress: { id: address } };
  await put(`${network}/networkInterfaces/${name}`, { location, properties: { ipConfigurations: [{ name: "machine", properties }] } });
}

async function putMachine(name: string, more: object = {}): Promise<Told> {
  await putParts(name);
  return await ask("PUT", machineId(name), {
    location,
    identity: { type: "SystemAssigned" },
    properties: {
      hardwareProfile: { vmSize: "Standard_D2s_v5" },
      storageProfile: {
        imageReference: { publisher: "Debian", offer: "debian-12", sku: "12-gen2", version: "latest" },
        osDisk: { name: `${name}-disk`, createOption: "FromImage", deleteOption: "Delete" },
      },
      osProfile: { computerName: name, adminUsername: "spillway", customData: Buffer.from("#cloud-config\n").toString("base64") },
      networkProfile: { networkInterfaces: [{ id: `${network}/networkInterfaces/${name}`, properties: { deleteOption: "Delete" } }] },
      ...more,
    },
  });
}

function idsHere(): string[] {
  return cloud.arm.ids().filter((id) => id.startsWith(`${group}/`) || id === group);
}

function left(name: string): string[] {
  return idsHere().filter((id) => id.endsWith(`/${name}`) || id.endsWith(`/${name}-disk`));
}

function machinesHere() {
  return cloud.machines().filter(({ id }) => id.startsWith(`${group}/`));
}

test("a machine is being made until its operation is done, has its addresses, and takes all with it when it goes", async () => {
  const told = await putMachine("a");
  expect(told).toMatchObject({ status: 201, body: { properties: { provisioningState: "Creating" } } });
  expect(JSON.stringify(told.body)).not.toContain("customData");
  expect(await settled(told)).toMatchObject({ status: "Succeeded" });
  const [machine] = machinesHere();
  const { body: card } = await ask("GET", `${network}/networkInterfaces/a`);
  expect(JSON.stringify(card)).toContain(`"privateIPAddress":"${machine?.host.address}"`);
  expect(await settled(await ask("DELETE", machineId("a")))).toMatchObject({ status: "Succeeded" });
  expect(left("a")).toEqual([]);
  expect(machine?.host.isOn()).toBe(false);
});

test("a name that is taken, an interface or an address that is in use, and a subnet that is not there are refused", async () => {
  await settled(await putMachine("a"));
  const properties = {
    subnet: { id: `${network}/virtualNetworks/net/subnets/machines` },
    publicIPAddress: { id: `${network}/publicIPAddresses/a` },
  };
  const card = (of: object) => ({ location, properties: { ipConfigurations: [{ name: "machine", properties: of }] } });
  const told = [
    await ask("PUT", `${network}/networkInterfaces/b`, card(properties)),
    await ask("PUT", `${network}/networkInterfaces/b`, card({ subnet: { id: `${network}/virtualNetworks/net/subnets/others` } })),
    await ask("DELETE", `${network}/networkInterfaces/a`),
    await ask("DELETE", `${network}/publicIPAddresses/a`),
    await ask("DELETE", `${network}/virtualNetworks/net`),
    await ask("PUT", group, { location: "northeurope" }),
  ];
  expect(told.map(({ body }) => body.error?.code)).toEqual([
    "PublicIPAddressInUse",
    "InvalidResourceReference",
    "NicInUse",
    "PublicIPAddressCannotBeDeleted",
    "InUseSubnetCannotBeDeleted",
    "InvalidResourceLocation",
  ]);
});

test("with a group goes all that is in it, and nothing is made in it meanwhile", async () => {
  await settled(await putMachine("a"));
  expect((await ask("DELETE", group)).status).toBe(202);
  await waitUntil("it is gone", () => idsHere().length === 0);
  expect(machinesHere()).toEqual([]);
  expect((await ask("PUT", `${network}/publicIPAddresses/b`, { location, sku: { name: "Standard" } })).body.error?.code).toBe(
    "ResourceGroupNotFound",
  );
});

test("a machine that switches itself off is stopped; one that is deallocated is off; one that is started is on", async () => {
  await settled(await putMachine("a"));
  const power = async () => JSON.stringify((await ask("GET", `${machineId("a")}/instanceView`)).body);
  await cloud.hostOf(machineId("a")).powerOff({ hard: false });
  await waitUntil("it is stopped", async () => (await power()).includes("PowerState/stopped"));
  expect(await settled(await ask("POST", `${machineId("a")}/start`))).toMatchObject({ status: "Succeeded" });
  expect(cloud.hostOf(machineId("a")).isOn()).toBe(true);
  expect(await power()).toContain("PowerState/running");
  expect(await settled(await ask("POST", `${machineId("a")}/deallocate`))).toMatchObject({ status: "Succeeded" });
  expect(cloud.hostOf(machineId("a")).isOn()).toBe(false);
  expect(await power()).toContain("PowerState/deallocated");
});

test("a slow machine is done after so many looks, however fast time goes", async () => {
  cloud.faults.slowCreate(25);
  expect(await settled(await putMachine("a"))).toEqual({ status: "Succeeded", code: undefined, looks: 25 });
});

test("a machine that nobody is told of is made all the same", async () => {
  cloud.faults.createNeverAnswers();
  void putMachine("a").catch(() => undefined);
  await waitUntil("the machine is there", () => machinesHere().length === 1);
});

test("a deletion that lies leaves the machine where it is", async () => {
  await settled(await putMachine("a"));
  cloud.faults.deleteLies(machineId("a"));
  expect(await settled(await ask("DELETE", machineId("a")))).toMatchObject({ status: "Succeeded" });
  expect(cloud.hostOf(machineId("a")).isOn()).toBe(true);
  expect((await ask("GET", machineId("a"))).status).toBe(200);
});

test("a stockout is of the size and the zone it is said for; one while allocating leaves a machine that never ran", async () => {
  cloud.faults.stockout("Standard_D2s_v5", "1");
  await settled(await putMachine("a"));
  cloud.faults.stockout("Standard_D2s_v5", undefined);
  expect(await putMachine("b")).toMatchObject({ status: 409, body: { error: { code: "SkuNotAvailable" } } });
  expect(left("b").some((id) => id.includes("virtualMachines"))).toBe(false);
  cloud.faults.mend();
  cloud.faults.stockout(undefined, undefined, "while-allocating");
  expect(await settled(await putMachine("c"))).toMatchObject({ status: "Failed", code: "AllocationFailed" });
  expect((await ask("GET", machineId("c"))).body).toMatchObject({ properties: { provisioningState: "Failed" } });
  expect(() => cloud.hostOf(machineId("c"))).toThrow(/no machine for/);
  expect(await settled(await ask("DELETE", machineId("c")))).toMatchObject({ status: "Succeeded" });
  expect(left("c")).toEqual([]);
});

test("too many requests are told when to ask again", async () => {
  cloud.faults.throttle(1);
  const told = await ask("GET", group);
  expect([told.status, told.headers.get("retry-after"), told.body.error?.code]).toEqual([429, "1", "SubscriptionRequestsThrottled"]);
  expect((await ask("GET", group)).status).toBe(200);
});

test("a spot machine is taken back as its eviction policy says: gone, or switched off and kept", async () => {
  const spot = (evictionPolicy: string) => ({ priority: "Spot", evictionPolicy, billingProfile: { maxPrice: -1 } });
  await settled(await putMachine("goes", spot("Delete")));
  await settled(await putMachine("stays", spot("Deallocate")));
  await settled(await putMachine("reserved"));
  cloud.preemptNotice(machineId("goes"), 0.05);
  cloud.preemptNotice(machineId("stays"), 0.05);
  expect(() => cloud.preemptNotice(machineId("reserved"), 0.05)).toThrow(/is no spot machine/);
  await waitUntil("it is gone", () => left("goes").length === 0);
  await waitUntil("it is off", () => !cloud.hostOf(machineId("stays")).isOn());
  const { body } = await ask("GET", `${machineId("stays")}/instanceView`);
  expect(JSON.stringify(body)).toContain("PowerState/deallocated");
});
