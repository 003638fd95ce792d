/** The other resources and functions that the double of the AWS provider knows, its settings, and steps that fail halfway. */
import {
  DescribeAddressesCommand,
  DescribeInstancesCommand,
  DescribeKeyPairsCommand,
  DescribeSecurityGroupRulesCommand,
  EC2Client,
} from "@aws-sdk/client-ec2";
import { Eip } from "@pulumi/aws/ec2/eip.js";
import { EipAssociation } from "@pulumi/aws/ec2/eipAssociation.js";
import { getAmiOutput } from "@pulumi/aws/ec2/getAmi.js";
import { getSubnetsOutput } from "@pulumi/aws/ec2/getSubnets.js";
import { getVpcOutput } from "@pulumi/aws/ec2/getVpc.js";
import { Instance } from "@pulumi/aws/ec2/instance.js";
import { InternetGateway } from "@pulumi/aws/ec2/internetGateway.js";
import { KeyPair } from "@pulumi/aws/ec2/keyPair.js";
import { Route } from "@pulumi/aws/ec2/route.js";
import { RouteTable } from "@pulumi/aws/ec2/routeTable.js";
import { SecurityGroup } from "@pulumi/aws/ec2/securityGroup.js";
import { Subnet } from "@pulumi/aws/ec2/subnet.js";
import { Vpc } from "@pulumi/aws/ec2/vpc.js";
import { getAvailabilityZonesOutput } from "@pulumi/aws/getAvailabilityZones.js";
import { getCallerIdentityOutput } from "@pulumi/aws/getCallerIdentity.js";
import { Provider } from "@pulumi/aws/provider.js";
import { SecurityGroupEgressRule } from "@pulumi/aws/vpc/securityGroupEgressRule.js";
import { SecurityGroupIngressRule } from "@pulumi/aws/vpc/securityGroupIngressRule.js";
import type { PulumiFn } from "@pulumi/pulumi/automation/index.js";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startMoto } from "../../support/moto.ts";
import { type Cloud, startCloud } from "../cloud.ts";
import type { PlacedHost } from "../cloud-hosts.ts";
import { type CloudStack, cloudStack } from "../engine.ts";
import { imagesOf } from "./images.ts";

const region = "us-west-2";
const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIP2vMDFVdNLr8EYVyyGhkX6hMg7d1UTVkFjhKGWVzaGj someone";
const ami = imagesOf(region).find(({ architecture }) => architecture === "x86_64")?.id ?? "";
let cloud: Cloud<PlacedHost>;
let client: EC2Client;
const stacks: CloudStack[] = [];

beforeAll(async () => {
  cloud = await startCloud(await startMoto());
  client = new EC2Client({ region, endpoint: cloud.url, credentials: { accessKeyId: "test", secretAccessKey: "test" } });
}, 120_000);
afterAll(async () => {
  for (const each of stacks) each.remove();
  client?.destroy();
  await cloud?.stop();
});

async function stackOf(program: PulumiFn): Promise<CloudStack> {
  const made = await cloudStack({ program, environment: cloud.environment, region });
  stacks.push(made);
  return made;
}

async function machines() {
  const { Reservations = [] } = await client.send(new DescribeInstancesCommand({}));
  return Reservations.flatMap(({ Instances = [] }) => Instances).filter(({ State }) => State?.Name !== "terminated");
}

test("routes, rules, addresses and keys come up, stay as they are, and go", { timeout: 120_000 }, async () => {
  const { stack } = await stackOf(async () => {
    const provider = new Provider("there", { region, defaultTags: { tags: { owner: "us" } }, maxRetries: 3 });
    const options = { provider };
    const vpc = new Vpc("net", { cidrBlock: "10.30.0.0/16", enableDnsHostnames: true }, options);
    const subnet = new Subnet("net", { vpcId: vpc.id, cidrBlock: "10.30.1.0/24" }, options);
    const gateway = new InternetGateway("net", { vpcId: vpc.id }, options);
    const table = new RouteTable("net", { vpcId: vpc.id }, options);
    void new Route("out", { routeTableId: table.id, destinationCidrBlock: "0.0.0.0/0", gatewayId: gateway.id }, options);
    const group = new SecurityGroup("net", { vpcId: vpc.id, tags: { own: "1" } }, options);
    const rule = { securityGroupId: group.id, ipProtocol: "tcp", fromPort: 22, toPort: 22 };
    void new SecurityGroupIngressRule("ssh", { ...rule, cidrIpv4: "192.0.2.0/24", description: "operators" }, options);
    void new SecurityGroupEgressRule("all", { securityGroupId: group.id, ipProtocol: "-1", cidrIpv4: "0.0.0.0/0" }, options);
    const key = new KeyPair("key", { publicKey }, options);
    const machine = new Instance(
      "machine",
      { ami, instanceType: "t3.micro", subnetId: subnet.id, keyName: key.keyName, vpcSecurityGroupIds: [group.id] },
      options,
    );
    const address = new Eip("address", { domain: "vpc" }, options);
    void new EipAssociation("address", { allocationId: address.id, instanceId: machine.id }, options);
    return { tags: group.tagsAll, address: address.publicIp, id: machine.id, keyName: key.keyName };
  });
  const { outputs } = await stack.up();
  expect(outputs.tags?.value).toEqual({ owner: "us", own: "1" });
  expect(outputs.keyName?.value).toMatch(/^key-[0-9a-f]{7}$/);
  const { SecurityGroupRules } = await client.send(new DescribeSecurityGroupRulesCommand({}));
  expect(SecurityGroupRules).toEqual(expect.arrayContaining([expect.objectContaining({ CidrIpv4: "192.0.2.0/24", FromPort: 22 })]));
  const [machine] = await machines();
  expect(machine).toMatchObject({
    InstanceId: outputs.id?.value,
    PublicIpAddress: outputs.address?.value,
    KeyName: outputs.keyName?.value,
  });
  const again = await stack.up({ refresh: true });
  expect(again.summary.resourceChanges).toEqual({ same: 14 });
  await stack.destroy();
  expect(await machines()).toEqual([]);
  expect((await client.send(new DescribeKeyPairsCommand({}))).KeyPairs).toEqual([]);
  expect((await client.send(new DescribeAddressesCommand({}))).Addresses).toEqual([]);
});

test("functions tell what the region has", { timeout: 60_000 }, async () => {
  const { stack } = await stackOf(async () => {
    const vpc = getVpcOutput({ default: true });
    const filters = [{ name: "vpc-id", values: [vpc.id] }];
    return {
      zones: getAvailabilityZonesOutput({ state: "available" }).names,
      subnets: getSubnetsOutput({ filters }).ids,
      account: getCallerIdentityOutput({}).accountId,
      elsewhere: getAmiOutput({ region: "eu-west-1", owners: ["099720109477"], nameRegex: "jammy.*amd64" }).id,
    };
  });
  const { outputs } = await stack.up();
  expect(outputs.zones?.value).toContain(`${region}a`);
  expect(outputs.subnets?.value.length).toBeGreaterThan(1);
  expect(outputs.account?.value).toBe("123456789012");
  expect(outputs.elsewhere?.value).toBe(imagesOf("eu-west-1").find(({ name }) => /jammy.*amd64/.test(name))?.id);
});

test("a machine that does not come to run in time is kept in the state, so that destroy ends it", { timeout: 60_000 }, async () => {
  cloud.faults.slowCreate(60_000);
  const { stack, exported } = await stackOf(async () => {
    void new Instance("slow", { ami, instanceType: "t3.micro" }, { customTimeouts: { create: "1s" } });
  });
  await expect(stack.up()).rejects.toThrow(
    /waiting for EC2 Instance \(i-[0-9a-f]+\) create: timeout while waiting for state to become 'running'/,
  );
  const [slow] = await machines();
  expect((await exported()).map(({ id }) => id)).toEqual([slow?.InstanceId]);
  cloud.faults.mend();
  await stack.destroy();
  expect(await machines()).toEqual([]);
});

test("no capacity is tried as often as the provider is told to, and then told", { timeout: 60_000 }, async () => {
  cloud.faults.stockout("t3.micro");
  const { stack } = await stackOf(async () => {
    const provider = new Provider("hasty", { region, maxRetries: 2 });
    void new Instance("none", { ami, instanceType: "t3.micro" }, { provider });
  });
  const before = cloud.calls.filter((call) => call === "RunInstances").length;
  await expect(stack.up()).rejects.toThrow(
    /StatusCode: 500, .*api error InsufficientInstanceCapacity: We currently do not have sufficient/,
  );
  expect(cloud.calls.filter((call) => call === "RunInstances").length - before).toBe(2);
  cloud.faults.mend();
});

test("a machine that can't be terminated says so, and stays in the state", { timeout: 60_000 }, async () => {
  let isProtected = true;
  const { stack, exported } = await stackOf(async () => {
    void new Instance("kept", { ami, instanceType: "t3.micro", disableApiTermination: isProtected });
  });
  await stack.up();
  await expect(stack.destroy()).rejects.toThrow(/terminating EC2 Instance .*api error OperationNotPermitted/);
  expect(await exported()).toHaveLength(1);
  isProtected = false;
  await stack.up();
  await stack.destroy();
  expect(await machines()).toEqual([]);
});
