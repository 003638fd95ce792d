/** The real engine and the real @pulumi/aws SDK against the double of its provider, moto and machines that are only remembered. */
import {
  DescribeInstanceAttributeCommand,
  DescribeInstancesCommand,
  DescribeVolumesCommand,
  EC2Client,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import { getAmiOutput } from "@pulumi/aws/ec2/getAmi.js";
import { Instance, type InstanceArgs } from "@pulumi/aws/ec2/instance.js";
import { InternetGateway } from "@pulumi/aws/ec2/internetGateway.js";
import { RouteTable } from "@pulumi/aws/ec2/routeTable.js";
import { RouteTableAssociation } from "@pulumi/aws/ec2/routeTableAssociation.js";
import { SecurityGroup } from "@pulumi/aws/ec2/securityGroup.js";
import { Subnet } from "@pulumi/aws/ec2/subnet.js";
import { Vpc } from "@pulumi/aws/ec2/vpc.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startMoto } from "../../support/moto.ts";
import { type Cloud, startCloud } from "../cloud.ts";
import type { PlacedHost } from "../cloud-hosts.ts";
import { type CloudStack, cloudStack } from "../engine.ts";

const region = "eu-central-1";
let cloud: Cloud<PlacedHost>;
let client: EC2Client;
let tested: CloudStack;
let args: Partial<InstanceArgs> = {};

const tags = { "spillway:node": "b-1", Name: "b-1" };
const program = async () => {
  const vpc = new Vpc("net", { cidrBlock: "10.20.0.0/16", tags });
  const subnet = new Subnet("net", { vpcId: vpc.id, cidrBlock: "10.20.1.0/24", availabilityZone: `${region}a` });
  const gateway = new InternetGateway("net", { vpcId: vpc.id });
  const table = new RouteTable("net", { vpcId: vpc.id, routes: [{ cidrBlock: "0.0.0.0/0", gatewayId: gateway.id }] });
  void new RouteTableAssociation("net", { subnetId: subnet.id, routeTableId: table.id });
  const group = new SecurityGroup("net", {
    vpcId: vpc.id,
    ingress: [{ protocol: "tcp", fromPort: 22, toPort: 22, cidrBlocks: ["0.0.0.0/0"] }],
    egress: [{ protocol: "-1", fromPort: 0, toPort: 0, cidrBlocks: ["0.0.0.0/0"] }],
  });
  const image = getAmiOutput({
    owners: ["136693071363"],
    mostRecent: true,
    filters: [
      { name: "name", values: ["debian-12-*"] },
      { name: "architecture", values: ["x86_64"] },
    ],
  });
  const machine = new Instance("machine", {
    ami: image.id,
    instanceType: "t3.micro",
    subnetId: subnet.id,
    associatePublicIpAddress: true,
    vpcSecurityGroupIds: [group.id],
    instanceInitiatedShutdownBehavior: "terminate",
    metadataOptions: { httpTokens: "required", httpPutResponseHopLimit: 1 },
    rootBlockDevice: { volumeSize: 20, volumeType: "gp3", encrypted: true },
    userDataBase64: Buffer.from("#cloud-config\n").toString("base64"),
    volumeTags: tags,
    tags,
    ...args,
  });
  return { id: machine.id, publicIp: machine.publicIp, image: image.name };
};

beforeAll(async () => {
  cloud = await startCloud(await startMoto());
  client = new EC2Client({ region, endpoint: cloud.url, credentials: { accessKeyId: "test", secretAccessKey: "test" } });
  tested = await cloudStack({ program, environment: cloud.environment, region });
}, 60_000);
afterAll(async () => {
  tested?.remove();
  client?.destroy();
  await cloud?.stop();
});

async function machines() {
  const { Reservations = [] } = await client.send(new DescribeInstancesCommand({}));
  return Reservations.flatMap(({ Instances = [] }) => Instances);
}

async function up() {
  const { outputs } = await tested.stack.up();
  return { id: String(outputs.id?.value), publicIp: String(outputs.publicIp?.value), image: String(outputs.image?.value) };
}

test("a network and a machine come up with what was asked, and a second run changes nothing", { timeout: 120_000 }, async () => {
  const made = await up();
  expect(made.image).toBe("debian-12-amd64-20250316-2053");
  const [machine] = await machines();
  expect(machine).toMatchObject({
    InstanceId: made.id,
    State: { Name: "running" },
    PublicIpAddress: made.publicIp,
    SecurityGroups: [expect.objectContaining({ GroupName: expect.stringMatching(/^net-[0-9a-f]{7}$/) })],
    MetadataOptions: { HttpTokens: "required" },
    Tags: expect.arrayContaining([{ Key: "spillway:node", Value: "b-1" }]),
  });
  expect(made.publicIp).toMatch(/^203\.0\.113\./);
  expect(cloud.hostOf(made.id).isOn()).toBe(true);
  const { Volumes } = await client.send(new DescribeVolumesCommand({}));
  expect(Volumes).toMatchObject([{ Size: 20, Encrypted: true, Tags: expect.arrayContaining([{ Key: "spillway:node", Value: "b-1" }]) }]);
  const again = await tested.stack.up({ refresh: true });
  expect(again.summary.resourceChanges).toEqual({ same: 8 });
});

test("tags change in place, the user data by a stop and a start, the image by another machine", { timeout: 120_000 }, async () => {
  const before = await up();
  args = { tags: { ...tags, more: "1" } };
  expect((await up()).id).toBe(before.id);
  args = { userDataBase64: Buffer.from("#cloud-config\n{}\n").toString("base64") };
  expect((await up()).id).toBe(before.id);
  expect(cloud.calls).toContain("StopInstances");
  const asked = new DescribeInstanceAttributeCommand({ InstanceId: before.id, Attribute: "userData" });
  const { UserData } = await client.send(asked);
  expect(Buffer.from(UserData?.Value ?? "", "base64").toString()).toBe("#cloud-config\n{}\n");
  args = { instanceMarketOptions: { marketType: "spot" } };
  const spot = await up();
  expect(spot.id).not.toBe(before.id);
  expect((await machines()).find(({ InstanceId }) => InstanceId === spot.id)).toMatchObject({ InstanceLifecycle: "spot" });
});

test("an input that the double does not know fails with a sentence", { timeout: 60_000 }, async () => {
  args = { hibernation: true };
  await expect(up()).rejects.toThrow("the double of aws:ec2/instance:Instance knows no input hibernation");
  args = {};
});

test("what the cloud refuses is told in the words of the real provider", { timeout: 60_000 }, async () => {
  args = { instanceMarketOptions: { marketType: "spot" }, availabilityZone: `${region}a` };
  await tested.stack.destroy();
  cloud.faults.quota("spot");
  await expect(up()).rejects.toThrow(
    /creating EC2 Instance: operation error EC2: RunInstances, https response error StatusCode: 400, RequestID: \S+, api error MaxSpotInstanceCountExceeded/,
  );
  cloud.faults.mend();
  args = {};
});

test("a machine that the cloud ended is made anew, and destroy leaves nothing", { timeout: 120_000 }, async () => {
  const before = await up();
  await client.send(new TerminateInstancesCommand({ InstanceIds: [before.id] }));
  await tested.stack.refresh();
  const after = await up();
  expect(after.id).not.toBe(before.id);
  await tested.stack.destroy();
  expect((await machines()).filter(({ State }) => State?.Name !== "terminated")).toEqual([]);
  expect((await client.send(new DescribeVolumesCommand({}))).Volumes).toEqual([]);
  expect(cloud.instances()).toEqual([]);
  expect(await tested.exported()).toEqual([]);
});
