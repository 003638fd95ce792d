/** The provider of AWS against an EC2 API that answers, and against one that refuses. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { EC2, type ResourceType } from "@aws-sdk/client-ec2";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import type { Machine } from "../../agent/contract/machine.ts";
import { fetchAwsCatalog } from "../../providers/aws/catalog.ts";
import { listAws } from "../../providers/aws/list.ts";
import { awsProvider, awsProviderWith } from "../../providers/aws/pool.ts";
import type { ListedThing, ListScope } from "../../providers/provider.ts";
import { type Moto, startMoto } from "../support/moto.ts";

const region = "eu-central-1";
const otherRegion = "us-east-1";
const quick = { firstPauseMs: 1, longestPauseMs: 10, totalMs: 50 };
const provider = awsProviderWith({ unseen: quick, change: quick, canDial: async () => true });
const scope: ListScope = {
  directory: "/nonexistent",
  hosts: [],
  identityOf: async () => undefined,
  clouds: { aws: { regions: [region, otherRegion] } },
};

let moto: Moto;
/** moto has the same ones after each reset. */
const images = new Map<string, Promise<string>>();
const variables = [
  ...["", "_EC2", "_PRICING", "_SERVICE_QUOTAS"].map((service) => `AWS_ENDPOINT_URL${service}`),
  "SPILLWAY_AWS_SPOT_ADVISOR",
  "AWS_ACCESS_KEY_ID",
  "AWS_SECRET_ACCESS_KEY",
];
const before = new Map(variables.map((name) => [name, process.env[name]]));
const servers: Server[] = [];

beforeAll(async () => {
  moto = await startMoto();
}, 300_000);

afterAll(async () => {
  await moto.stop();
});

beforeEach(async () => {
  Object.assign(process.env, { AWS_ENDPOINT_URL: moto.url, AWS_ACCESS_KEY_ID: "testing", AWS_SECRET_ACCESS_KEY: "testing" });
  await fetch(`${moto.url}/moto-api/reset`, { method: "POST" });
});

afterEach(() => {
  for (const [name, value] of before) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
  for (const server of servers.splice(0)) server.close();
});

const ec2 = (where = region) =>
  new EC2({ region: where, endpoint: moto.url, credentials: { accessKeyId: "testing", secretAccessKey: "testing" } });

function imageOf(where: string): Promise<string> {
  const found =
    images.get(where) ??
    ec2(where)
      .describeImages({ Filters: [{ Name: "architecture", Values: ["x86_64"] }] })
      .then(({ Images = [] }) => Images[0]?.ImageId ?? "");
  images.set(where, found);
  return found;
}

function tagsOf(environmentId: string, more: Record<string, string> = {}) {
  const all = { "spillway:environment-id": environmentId, "spillway:environment": "prod", ...more };
  return Object.entries(all).map(([Key, Value]) => ({ Key, Value }));
}

/** As the Pulumi provider makes one: machine and disk tagged in one call. */
async function make(
  name: string,
  environmentId: string,
  { burst, where = region }: { burst?: string; where?: string } = {},
): Promise<Machine> {
  const Tags = tagsOf(environmentId, {
    "spillway:pool": "base",
    "spillway:node": name,
    ...(burst === undefined ? {} : { "spillway:burst": burst }),
  });
  const { Instances = [] } = await ec2(where).runInstances({
    ImageId: await imageOf(where),
    InstanceType: "m7i.large",
    MinCount: 1,
    MaxCount: 1,
    Placement: { AvailabilityZone: `${where}a` },
    BlockDeviceMappings: [{ DeviceName: "/dev/sda1", Ebs: { VolumeSize: 40, VolumeType: "gp3", DeleteOnTermination: true } }],
    TagSpecifications: (["instance", "volume"] as const).map((ResourceType) => ({ ResourceType, Tags })),
  });
  const listed = (await provider.list(environmentId, scope)).machines.find(
    ({ machine }) => machine.providerId === Instances[0]?.InstanceId,
  );
  if (listed === undefined) throw new Error("it was not listed");
  return listed.machine;
}

function thing(kind: ListedThing["kind"], id: string | undefined): ListedThing {
  if (id === undefined) throw new Error(`no ${kind} was made`);
  return { kind, id, provider: "aws", region, environmentId: "env-a" };
}

const tagged = (ResourceType: ResourceType) => ({ TagSpecifications: [{ ResourceType, Tags: tagsOf("env-a") }] });

it("lists the environment's machines of all its regions by their tag, each as it is", async () => {
  const started = Date.now();
  const base = await make("base-1", "env-a");
  await make("burst-1", "env-a", { burst: "b-1", where: otherRegion });
  await make("foreign", "env-b");
  const { machines, unasked } = await provider.list("env-a", scope);
  expect(machines).toHaveLength(2);
  expect(unasked).toEqual([]);
  expect(machines[0]).toMatchObject({
    environmentId: "env-a",
    status: "running",
    machine: {
      name: "base-1",
      pool: "base",
      provider: "aws",
      providerId: expect.stringMatching(/^i-/),
      port: 22,
      user: "spillway",
      credential: { kind: "agent" },
      attributes: { cloud: "aws", region, zone: `${region}a`, instanceType: "m7i.large", market: "on-demand", arch: "x64" },
    },
  });
  expect(machines[0]).not.toHaveProperty("burst");
  expect(machines[0]?.machine).not.toHaveProperty("hostKey");
  expect(machines[1]).toMatchObject({ burst: "b-1", machine: { burst: "b-1", attributes: { region: otherRegion } } });
  // AWS' times are whole seconds.
  expect(machines[0]?.madeAt).toBeGreaterThanOrEqual(started - 1000);
  expect(machines[0]?.madeAt).toBeLessThanOrEqual(Date.now());
  await ec2().stopInstances({ InstanceIds: [base.providerId] });
  expect((await provider.list("env-a", scope)).machines[0]).toMatchObject({ status: "stopped" });
  expect(await provider.list("env-c", scope)).toEqual({ machines: [], things: [], unasked: [] });
});

it("lists more machines and disks than one answer holds", async () => {
  const Tags = tagsOf("env-a", { "spillway:pool": "base", "spillway:node": "many" });
  for (let made = 0; made < 12; made++) {
    await ec2().runInstances({
      ImageId: await imageOf(region),
      InstanceType: "m7i.large",
      MinCount: 1,
      MaxCount: 1,
      TagSpecifications: (["instance", "volume"] as const).map((ResourceType) => ({ ResourceType, Tags })),
    });
  }
  const { machines, things } = await listAws("env-a", [region], 5);
  expect(new Set(machines.map(({ machine }) => machine.providerId)).size).toBe(12);
  expect(new Set(things.map(({ of }) => of)).size).toBe(12);
});

it("asks nothing of an environment that has no machines in AWS", async () => {
  delete process.env.AWS_ENDPOINT_URL;
  expect(await awsProvider.list("env-a", { ...scope, clouds: {} })).toEqual({ machines: [], things: [], unasked: [] });
});

it("tells what AWS says of a machine, and one that it does not know is gone", async () => {
  const machine = await make("base-1", "env-a");
  expect(await provider.status(machine)).toBe("running");
  await ec2().stopInstances({ InstanceIds: [machine.providerId] });
  expect(await provider.status(machine)).toBe("stopped");
  await ec2().terminateInstances({ InstanceIds: [machine.providerId] });
  expect(await provider.status(machine)).toBe("gone");
  expect(await provider.status({ ...machine, providerId: "i-0123456789abcdef0" })).toBe("gone");
});

it("switches a stopped machine on, leaves a running one, and says that an ended one is gone", async () => {
  const machine = await make("base-1", "env-a");
  await provider.start(machine);
  await ec2().stopInstances({ InstanceIds: [machine.providerId] });
  await provider.start(machine);
  expect(await provider.status(machine)).toBe("running");
  await ec2().terminateInstances({ InstanceIds: [machine.providerId] });
  await expect(provider.start(machine)).rejects.toMatchObject({ code: "machine-gone" });
});

it("does not take a machine for started that can't be dialled", async () => {
  const deaf = awsProviderWith({ unseen: quick, change: quick, canDial: async () => false });
  const machine = await make("base-1", "env-a");
  await ec2().stopInstances({ InstanceIds: [machine.providerId] });
  await expect(deaf.start(machine)).rejects.toMatchObject({ code: "cloud-timeout" });
});

it("deletes a machine with its disk, once more without complaint, and no other", async () => {
  const machine = await make("burst-1", "env-a", { burst: "b-1" });
  const other = await make("burst-2", "env-a", { burst: "b-2" });
  const disks = () => provider.list("env-a", scope).then(({ things }) => things.filter(({ kind }) => kind === "disk"));
  expect((await disks()).map(({ of, burst }) => [of, burst])).toEqual([
    [machine.providerId, "b-1"],
    [other.providerId, "b-2"],
  ]);
  await provider.delete(machine);
  expect(await provider.status(machine)).toBe("gone");
  expect((await disks()).map(({ of }) => of)).toEqual([other.providerId]);
  await provider.delete(machine);
  await provider.delete({ ...machine, providerId: "i-0123456789abcdef0" });
  expect((await provider.list("env-a", scope)).machines.map(({ machine: { name } }) => name)).toEqual(["burst-2"]);
});

it("lists what hangs on nothing, with its price, and deletes it; what is gone already is no error", async () => {
  const api = ec2();
  const { VolumeId } = await api.createVolume({ AvailabilityZone: `${region}a`, Size: 40, VolumeType: "gp3", ...tagged("volume") });
  const { AllocationId } = await api.allocateAddress({ Domain: "vpc", ...tagged("elastic-ip") });
  const { KeyPairId } = await api.createKeyPair({ KeyName: "k", ...tagged("key-pair") });
  const { Subnets = [] } = await api.describeSubnets({});
  const { NetworkInterface } = await api.createNetworkInterface({ SubnetId: Subnets[0]?.SubnetId, ...tagged("network-interface") });
  const { GroupId } = await api.createSecurityGroup({ GroupName: "g", Description: "d", ...tagged("security-group") });
  const wanted = [
    thing("disk", VolumeId),
    { ...thing("address", AllocationId), hourly: 0.005 },
    thing("interface", NetworkInterface?.NetworkInterfaceId),
    thing("key", KeyPairId),
    thing("security-group", GroupId),
  ];
  expect((await provider.list("env-a", scope)).things).toEqual(wanted);
  for (const one of wanted) await provider.deleteThing?.(one);
  // EC2 deletes a key by its id too; moto by its name only.
  expect((await provider.list("env-a", scope)).things.map(({ kind }) => kind)).toEqual(["key"]);
  for (const one of wanted) await provider.deleteThing?.(one);
});

it("takes an address off its machine to delete it", async () => {
  const machine = await make("base-1", "env-a");
  const { AllocationId } = await ec2().allocateAddress({ Domain: "vpc", ...tagged("elastic-ip") });
  await ec2().associateAddress({ AllocationId, InstanceId: machine.providerId });
  const [address] = (await provider.list("env-a", scope)).things.filter(({ kind }) => kind === "address");
  expect(address).toMatchObject({ id: AllocationId, of: machine.providerId });
  await provider.deleteThing?.(thing("address", AllocationId));
  expect((await ec2().describeAddresses({})).Addresses).toEqual([]);
});

it("deletes a network with all that is in it, and leaves the others", async () => {
  const api = ec2();
  const networksBefore = (await api.describeVpcs({})).Vpcs?.length;
  const { Vpc } = await api.createVpc({ CidrBlock: "10.203.0.0/16", ...tagged("vpc") });
  const VpcId = Vpc?.VpcId;
  const { Subnet } = await api.createSubnet({ VpcId, CidrBlock: "10.203.0.0/20", AvailabilityZone: `${region}a` });
  const { InternetGateway } = await api.createInternetGateway({});
  await api.attachInternetGateway({ InternetGatewayId: InternetGateway?.InternetGatewayId, VpcId });
  const { RouteTable } = await api.createRouteTable({ VpcId });
  await api.associateRouteTable({ RouteTableId: RouteTable?.RouteTableId, SubnetId: Subnet?.SubnetId });
  await api.createSecurityGroup({ GroupName: "g", Description: "d", VpcId });
  await provider.deleteThing?.(thing("network", VpcId));
  expect((await api.describeVpcs({})).Vpcs).toHaveLength(networksBefore ?? 0);
  expect((await api.describeInternetGateways({})).InternetGateways).toEqual([]);
  expect((await api.describeSecurityGroups({ Filters: [{ Name: "group-name", Values: ["g"] }] })).SecurityGroups).toEqual([]);
  await provider.deleteThing?.(thing("network", VpcId));
});

it("fetches what a region sells, with the prices of both markets", async () => {
  process.env.AWS_ENDPOINT_URL_PRICING = await serverOf(priceList);
  process.env.AWS_ENDPOINT_URL_SERVICE_QUOTAS = await serverOf(async () => quotasAnswer({ "L-1216C47A": 64, "L-34B43A08": 32 }));
  process.env.SPILLWAY_AWS_SPOT_ADVISOR = await serverOf(async () => spotAdvice({ "m7i.large": { s: 62, r: 2 } }));
  await ec2().runInstances({ ImageId: await imageOf(region), InstanceType: "m7i.large", MinCount: 3, MaxCount: 3 });
  const catalog = await fetchAwsCatalog(region);
  expect(catalog.quota).toEqual({ Standard: { "on-demand": 58, spot: 32 } });
  expect(catalog).toMatchObject({ provider: "aws", region, publicAddress: 0.005 });
  expect(catalog.diskGiB).toBeCloseTo(0.0952 / 730, 12);
  const m7i = catalog.entries.find(({ instanceType }) => instanceType === "m7i.large");
  expect(m7i).toMatchObject({ arch: "x64", cpu: 2000, memory: 8192, onDemand: 0.115, isBareMetal: false, isBurstable: false });
  expect(m7i?.reclaimed).toBe(0.1);
  expect(catalog.entries.find(({ instanceType }) => instanceType === "c7i.large")).not.toHaveProperty("reclaimed");
  expect(catalog).not.toHaveProperty("reclaimsUnknown");
  expect(m7i?.zones.length).toBeGreaterThan(1);
  expect(Object.keys(m7i?.spot ?? {}).every((zone) => m7i?.zones.includes(zone))).toBe(true);
  expect(catalog.entries.some(({ spot }) => Object.keys(spot).length > 0)).toBe(true);
  expect(catalog.entries.some(({ arch }) => arch === "arm64")).toBe(true);
  expect(catalog.entries.some(({ isBareMetal }) => isBareMetal)).toBe(true);
  expect(catalog.entries.some(({ instanceType }) => instanceType.startsWith("mac"))).toBe(false);
}, 120_000);

it("fetches what a region sells where the quotas may not be read, nor how often spot is taken back, and says so", async () => {
  process.env.AWS_ENDPOINT_URL_PRICING = await serverOf(priceList);
  process.env.AWS_ENDPOINT_URL_SERVICE_QUOTAS = await serverOf(async () => ({
    status: 400,
    type: "application/x-amz-json-1.1",
    text: JSON.stringify({
      __type: "AccessDeniedException",
      Message: "User is not authorized to perform: servicequotas:ListServiceQuotas",
    }),
  }));
  const { entries, quota, quotaUnknown, reclaimsUnknown } = await fetchAwsCatalog(region);
  expect(entries).not.toEqual([]);
  expect(quota).toBeUndefined();
  expect(quotaUnknown).toMatch(/AccessDeniedException: .*servicequotas:ListServiceQuotas/);
  expect(reclaimsUnknown).toBe("AWS_ENDPOINT_URL leads elsewhere, and SPILLWAY_AWS_SPOT_ADVISOR names no list there");
}, 120_000);

it("gives up fetching when it is called off", async () => {
  process.env.AWS_ENDPOINT_URL_PRICING = await serverOf(priceList);
  await expect(fetchAwsCatalog(region, AbortSignal.abort())).rejects.toMatchObject({ code: "cancelled" });
});

it("does not take a machine that AWS does not see yet for gone, nor leaves it when it is to be deleted", async () => {
  const machine = await make("base-1", "env-a");
  const blind = async (answers: number) => {
    let left = answers;
    return serverOf(async (body, headers) => {
      if (left-- > 0) return unseen(body);
      const passed = await fetch(moto.url, { method: "POST", headers, body });
      return { status: passed.status, type: "text/xml", text: await passed.text() };
    });
  };
  process.env.AWS_ENDPOINT_URL_EC2 = await blind(2);
  expect(await provider.status(machine)).toBe("running");
  process.env.AWS_ENDPOINT_URL_EC2 = await blind(2);
  await provider.delete(machine);
  delete process.env.AWS_ENDPOINT_URL_EC2;
  expect(await provider.status(machine)).toBe("gone");
});

/** EC2's answer about a machine that it does not know (yet). */
function unseen(body: string): Answer {
  const text = `<DescribeInstancesResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>r</requestId><reservationSet/></DescribeInstancesResponse>`;
  if (!body.includes("Action=Terminate")) return { status: 200, type: "text/xml", text };
  return refusal(400, "InvalidInstanceID.NotFound", "The instance ID does not exist");
}

function refusal(status: number, code: string, message: string): Answer {
  const text = `<Response><Errors><Error><Code>${code}</Code><Message>${message}</Message></Error></Errors><RequestID>r</RequestID></Response>`;
  return { status, type: "text/xml", text };
}

it("says what to do when AWS refuses, and takes a refusal for no machine's end", async () => {
  const machine = await make("base-1", "env-a");
  process.env.AWS_ENDPOINT_URL_EC2 = await serverOf(async () =>
    refusal(403, "UnauthorizedOperation", "You are not authorized to perform this operation."),
  );
  for (const ask of [() => provider.status(machine), () => provider.list("env-a", scope), () => provider.delete(machine)]) {
    await expect(ask()).rejects.toMatchObject({ code: "cloud-not-allowed", hint: expect.any(String) });
  }
});

/** Moto has none of EC2. */
/** As the Spot Instance Advisor's list has them: `r` is the band, `s` what is saved. */
function spotAdvice(types: Readonly<Record<string, { readonly s: number; readonly r: number }>>): Answer {
  const ranges = ["<5%", "5-10%", "10-15%", "15-20%", ">20%"].map((label, index) => ({ index, label }));
  const text = JSON.stringify({ ranges, spot_advisor: { [region]: { Linux: types, Windows: { "c7i.large": { s: 10, r: 4 } } } } });
  return { status: 200, type: "application/json", text };
}

function quotasAnswer(values: Readonly<Record<string, number>>): Answer {
  const Quotas = Object.entries(values).map(([QuotaCode, Value]) => ({ ServiceCode: "ec2", QuotaCode, Value }));
  return { status: 200, type: "application/x-amz-json-1.1", text: JSON.stringify({ Quotas }) };
}

/** Answers as the price list's API does, which moto does not have. */
async function priceList(body: string): Promise<Answer> {
  const { Filters } = JSON.parse(body) as { Filters: { Field: string; Value: string }[] };
  const asked = Object.fromEntries(Filters.map(({ Field, Value }) => [Field, Value]));
  const product = (attributes: object, unit: string, USD: string) =>
    JSON.stringify({ product: { attributes }, terms: { OnDemand: { a: { priceDimensions: { b: { unit, pricePerUnit: { USD } } } } } } });
  const disk = product({ volumeApiName: "gp3" }, "GB-Mo", "0.0952");
  const machine = product({ instanceType: "m7i.large" }, "Hrs", "0.115");
  const PriceList = asked.regionCode === region ? [asked.volumeApiName === "gp3" ? disk : machine] : [];
  return { status: 200, type: "application/x-amz-json-1.1", text: JSON.stringify({ FormatVersion: "aws_v1", PriceList }) };
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

async function serverOf(answer: (body: string, headers: Record<string, string>) => Promise<Answer>): Promise<string> {
  const reply = async (request: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const signed = ["authorization", "content-type", "x-amz-date"].map((name) => [name, String(request.headers[name] ?? "")] as const);
    const { status, type, text } = await answer(Buffer.concat(chunks).toString(), Object.fromEntries(signed));
    response.writeHead(status, { "content-type": type });
    response.end(text);
  };
  const server = createServer((request, response) => void reply(request, response));
  servers.push(server);
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
