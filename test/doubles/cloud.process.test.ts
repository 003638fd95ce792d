/** The cloud of the tests by its API, with moto and machines that are only remembered. */
import {
  AllocateAddressCommand,
  DescribeImagesCommand,
  DescribeInstancesCommand,
  EC2Client,
  type Instance,
  RebootInstancesCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { afterAll, afterEach, beforeAll, expect, test, vi } from "vitest";
import { ec2Quotas } from "../../providers/aws/service-quotas.ts";
import { startMoto } from "../support/moto.ts";
import { waitUntil } from "../support/wait-until.ts";
import { imagesOf } from "./aws/images.ts";
import { type Cloud, startCloud } from "./cloud.ts";
import type { PlacedHost } from "./cloud-hosts.ts";

const region = "us-east-1";
const image = imagesOf(region)[0]?.id ?? "";
let cloud: Cloud<PlacedHost>;
let client: EC2Client;

beforeAll(async () => {
  cloud = await startCloud(await startMoto());
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  client = new EC2Client({ region, endpoint: cloud.url, credentials, maxAttempts: 1 });
}, 120_000);
afterEach(() => {
  vi.unstubAllEnvs();
  cloud.faults.mend();
});
afterAll(async () => {
  client?.destroy();
  await cloud?.stop();
});

async function launch(over: Partial<RunInstancesCommand["input"]> = {}): Promise<string> {
  const { Instances } = await client.send(
    new RunInstancesCommand({ MinCount: 1, MaxCount: 1, ImageId: image, InstanceType: "t3.micro", ...over }),
  );
  expect(Instances?.[0]?.State?.Name).toBe("pending");
  return Instances?.[0]?.InstanceId ?? "";
}

async function describe(id: string): Promise<Instance | undefined> {
  return (await client.send(new DescribeInstancesCommand({ InstanceIds: [id] }))).Reservations?.[0]?.Instances?.[0];
}

async function untilState(id: string, state: string): Promise<void> {
  await waitUntil(`${id} is ${state}`, async () => (await describe(id))?.State?.Name === state);
}

test("an instance has a machine and its addresses, and loses both when it is terminated", async () => {
  const id = await launch();
  await untilState(id, "running");
  const host = cloud.hostOf(id);
  expect(host.isOn()).toBe(true);
  expect(await describe(id)).toMatchObject({ PrivateIpAddress: host.address, PublicIpAddress: expect.stringMatching(/^203\.0\.113\./) });
  await client.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  await untilState(id, "terminated");
  expect(host.isOn()).toBe(false);
  expect(() => cloud.hostOf(id)).toThrow(`the cloud has no machine for ${id}`);
});

test("a stopped instance keeps its machine, off; started, it is on again; a reboot goes by unseen", async () => {
  const id = await launch();
  await untilState(id, "running");
  await client.send(new StopInstancesCommand({ InstanceIds: [id] }));
  await untilState(id, "stopped");
  expect(cloud.hostOf(id).isOn()).toBe(false);
  await client.send(new StartInstancesCommand({ InstanceIds: [id] }));
  await untilState(id, "running");
  await client.send(new RebootInstancesCommand({ InstanceIds: [id] }));
  expect(cloud.hostOf(id).isOn()).toBe(true);
});

test("a machine that switches itself off is stopped, or terminated where it was made so", async () => {
  const [stays, goes] = [await launch(), await launch({ InstanceInitiatedShutdownBehavior: "terminate" })];
  for (const id of [stays, goes]) {
    await untilState(id, "running");
    await cloud.hostOf(id).powerOff({ hard: false });
  }
  await untilState(stays, "stopped");
  await untilState(goes, "terminated");
});

test("the same client token is the same launch", async () => {
  const [first, second] = [await launch({ ClientToken: "once" }), await launch({ ClientToken: "once" })];
  expect(second).toBe(first);
});

test("a filter on states goes by the states that are shown", async () => {
  cloud.faults.slowCreate(60_000);
  const id = await launch();
  const found = async (state: string) => {
    const filter = { Name: "instance-state-name", Values: [state] };
    const { Reservations } = await client.send(new DescribeInstancesCommand({ Filters: [filter] }));
    return (Reservations ?? []).flatMap(({ Instances }) => Instances ?? []).some(({ InstanceId }) => InstanceId === id);
  };
  expect([await found("pending"), await found("running")]).toEqual([true, false]);
  await client.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
});

test("a machine that was just made may not be found yet", async () => {
  cloud.faults.lateVisibility(500);
  const id = await launch();
  await expect(describe(id)).rejects.toMatchObject({ name: "InvalidInstanceID.NotFound" });
  await waitUntil("it is found", async () => (await describe(id).catch(() => undefined)) !== undefined);
});

test("images are found by owner and name, and no other image can be started", async () => {
  const Owners = ["099720109477"];
  const Filters = [
    { Name: "name", Values: ["ubuntu/images/hvm-ssd*/ubuntu-noble-24.04-*-server-*"] },
    { Name: "architecture", Values: ["arm64"] },
  ];
  const { Images } = await client.send(new DescribeImagesCommand({ Owners, Filters }));
  expect(Images?.map(({ Name }) => Name)).toEqual([
    "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-20250115",
    "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-arm64-server-20250305",
  ]);
  await expect(launch({ ImageId: "ami-00000000000000000" })).rejects.toMatchObject({ name: "InvalidAMIID.NotFound" });
});

test("an address that nobody has yet is one of the lab's, and stays so", async () => {
  const { PublicIp } = await client.send(new AllocateAddressCommand({ Domain: "vpc" }));
  expect(PublicIp).toMatch(/^203\.0\.113\./);
});

test("no capacity is said of the type and the zone it is said for", async () => {
  cloud.faults.stockout("m7i.large", `${region}a`);
  const there = { InstanceType: "m7i.large", Placement: { AvailabilityZone: `${region}a` } } as const;
  await expect(launch(there)).rejects.toMatchObject({ name: "InsufficientInstanceCapacity", $metadata: { httpStatusCode: 500 } });
  await launch({ ...there, Placement: { AvailabilityZone: `${region}b` } });
  await launch({ ...there, InstanceType: "m7i.xlarge" });
});

test("its quotas are told to who signs for their service, and may be changed", async () => {
  vi.stubEnv("AWS_ENDPOINT_URL_SERVICE_QUOTAS", cloud.url);
  vi.stubEnv("AWS_ACCESS_KEY_ID", "test");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "test");
  cloud.quotas.set("L-34B43A08", 8);
  expect(await ec2Quotas(region)).toEqual(cloud.quotas);
  expect(cloud.quotas.get("L-34B43A08")).toBe(8);
});

test("throttling refuses so many calls, and a quota every launch of its market", async () => {
  cloud.faults.throttle(1);
  await expect(launch()).rejects.toMatchObject({ name: "RequestLimitExceeded", $metadata: { httpStatusCode: 503 } });
  cloud.faults.quota("on-demand");
  await expect(launch()).rejects.toMatchObject({ name: "VcpuLimitExceeded" });
  await launch({ InstanceMarketOptions: { MarketType: "spot" } });
});

test("a launch that is never answered has made its machine all the same", async () => {
  const before = cloud.instances().length;
  cloud.faults.createNeverAnswers();
  const gaveUp = new AbortController();
  const launched = client
    .send(new RunInstancesCommand({ MinCount: 1, MaxCount: 1, ImageId: image }), { abortSignal: gaveUp.signal })
    .catch((error: Error) => error.name);
  await waitUntil("the machine is there", () => cloud.instances().length === before + 1);
  gaveUp.abort();
  expect(await launched).toBe("AbortError");
});

test("a deletion that lies leaves the machine where it is", async () => {
  const id = await launch();
  cloud.faults.deleteLies(id);
  const { TerminatingInstances } = await client.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
  expect(TerminatingInstances?.[0]?.CurrentState?.Name).toBe("shutting-down");
  await untilState(id, "running");
});

test("a machine that is taken away after a notice is gone", async () => {
  const id = await launch({ InstanceMarketOptions: { MarketType: "spot" } });
  await untilState(id, "running");
  cloud.spotNotice(id, 0.1);
  await untilState(id, "terminated");
});
