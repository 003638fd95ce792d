/** An environment without a host of one's own: its master is on a machine of a cloud, dialled by people from outside, by its neighbours from inside. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  CreateSecurityGroupCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DescribeAddressesCommand,
  DescribeInstancesCommand,
  DescribeVpcsCommand,
  EC2Client,
  StopInstancesCommand,
} from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "../../agent/contract/client.ts";
import type { CloudInstance } from "../doubles/aws/instances.ts";
import { submitOverflow } from "../support/burst-scenario.ts";
import { readContext } from "../support/checkout.ts";
import { waitUntil } from "../support/wait-until.ts";
import type { CloudHost } from "./support/cloud-host.ts";
import { type CloudRack, cloudRack, region } from "./support/cloud-rack.ts";
import { nodeStates, rackClient } from "./support/rack.ts";

const environment = "rack";
const zone = `${region}a`;
let rack: CloudRack;
let client: Client;
let ec2: EC2Client;
let network: object;

beforeAll(async () => {
  rack = await cloudRack(environment);
  ec2 = new EC2Client({ region, endpoint: rack.cloud.url, credentials: { accessKeyId: "test", secretAccessKey: "test" } });
  network = await ownNetwork();
});
afterAll(async () => {
  client?.dispose();
  ec2?.destroy();
  await rack?.close();
});

/** A network that somebody has: what is put there has no public address. */
async function ownNetwork(): Promise<object> {
  const { Vpc } = await ec2.send(new CreateVpcCommand({ CidrBlock: "10.77.0.0/16" }));
  const VpcId = Vpc?.VpcId ?? "";
  const { Subnet } = await ec2.send(new CreateSubnetCommand({ VpcId, CidrBlock: "10.77.1.0/24", AvailabilityZone: zone }));
  const { GroupId } = await ec2.send(new CreateSecurityGroupCommand({ VpcId, GroupName: "own", Description: "own" }));
  return { subnets: { [zone]: Subnet?.SubnetId }, securityGroups: [GroupId] };
}

function settings() {
  const machine = { provider: "aws", region, zones: [zone], instanceType: "m7i.large", ...rack.access };
  const bastion = rack.lab.host("own");
  return {
    masters: { pool: "head" },
    jumps: { bastion: { host: bastion.address, user: "ops", key: rack.lab.keyFile, hostKey: bastion.hostKey } },
    pools: {
      head: { ...machine, masterFrom: [`${rack.lab.machineAddress}/32`] },
      base: machine,
      inner: { ...machine, sshFrom: [], address: "private", jump: "bastion", network },
    },
  };
}

const burst = () => ({
  pools: {
    overflow: {
      provider: "aws",
      regions: [region],
      market: ["on-demand"],
      types: { cpu: [2, 2], names: ["c7i.*", "m7i.*"] },
      ...rack.access,
    },
  },
  rules: [{ when: { pendingFor: "1s" } }],
  maxNodes: 1,
  budget: { perHour: 1 },
  retire: { idleFor: "3s", minimumLife: "1s", drainDeadline: "10s" },
  sweep: { every: "3s", unknownAfter: "10s" },
});

function instance(node: string): CloudInstance<CloudHost> {
  const named = ({ description }: CloudInstance<CloudHost>) =>
    description.Tags?.some(({ Key, Value }) => Key === "spillway:node" && Value === node);
  const found = rack.cloud.instances().find(named);
  if (found === undefined) throw new Error(`the cloud has no machine of ${node}`);
  return found;
}

/** Whom the master's machine talks to on the master's port: the other's address → its own that was dialled. */
async function dialled(): Promise<Record<string, string[]>> {
  const lines = await instance("head-1").host.read(["ss", "-Htn", "state", "established", "sport", "=", ":7070"]);
  const pairs = lines
    .trim()
    .split("\n")
    .map((line) =>
      line
        .trim()
        .split(/\s+/)
        .slice(2)
        .map((text) => text.slice(0, text.lastIndexOf(":"))),
    );
  const byPeer = Map.groupBy(pairs, ([, peer]) => peer ?? "");
  return Object.fromEntries([...byPeer].map(([peer, all]) => [peer, [...new Set(all.map(([own]) => own ?? ""))]]));
}

it("comes up in the cloud alone: the master's machine, one in its network, and one without a public address behind a jump host", async () => {
  rack.write(settings());
  await rack.ok(["up", environment, "--yes"]);
  client = rackClient(rack.checkout);
  expect(await nodeStates(client)).toEqual({ "head-1": "ready", "base-1": "ready", "inner-1": "ready" });
  expect(instance("inner-1").publicAddress).toBeUndefined();
});

it("is reached by people at its public address, by its neighbours at the private one, and by other networks at the public one", async () => {
  const { host, publicAddress = "" } = instance("head-1");
  expect(readContext(rack.checkout).url).toBe(`https://${publicAddress}:7070`);
  expect(await rack.ok(["nodes", "list"])).toContain("inner-1");
  expect(await dialled()).toMatchObject({
    [host.address]: [host.address],
    [instance("base-1").host.address]: [host.address],
    [instance("inner-1").host.address]: [publicAddress],
  });
});

it("logs in to the machine behind the jump host from there only", async () => {
  const logins = await instance("inner-1").host.read("journalctl --no-pager -t sshd | grep 'Accepted publickey for spillway'");
  const from = new Set(
    logins
      .trim()
      .split("\n")
      .map((line) => / from (\S+) /.exec(line)?.[1]),
  );
  expect(from).toEqual(new Set([rack.lab.host("own").address]));
  expect(await rack.ok(["run", "--cpu", "0.1", "--memory", "32Mi", "--node-pool", "inner", "--", "hostname"])).toContain("ip-10-77-1-");
});

it("changes nothing when it is brought up again", async () => {
  expect(await rack.ok(["up", environment, "--yes"])).toContain("Nothing changed.");
});

function whereIs({ id, publicAddress, host }: CloudInstance<CloudHost>) {
  return { id, publicAddress, address: host.address };
}

/** By which address Pulumi's state has it. */
function recordedHost(node: string): string | undefined {
  const file = join(rack.checkout.state, "backend/.pulumi/stacks/spillway", `${environment}.json`);
  const { checkpoint } = JSON.parse(readFileSync(file, "utf8"));
  const resources = checkpoint.latest.resources as { urn: string; outputs?: { machine?: { host: string } } }[];
  return resources.find(({ urn }) => urn.endsWith(`:CloudHost::${node}`))?.outputs?.machine?.host;
}

it("is mended when the cloud has stopped the machines: the master's has its addresses still, the other a new one, and all tasks are known", async () => {
  const long = { command: ["sleep", "900"], resources: { cpu: 100, memory: 32 }, retries: 3 };
  await client.submitJob({ ...long, name: "stopped", nodePool: "base" });
  await client.submitJob({ ...long, name: "left-alone", nodePool: "inner" });
  const states = async (job: string) => (await client.job(job)).indexes.flatMap(({ attempts }) => attempts.map(({ state }) => state));
  const bothRun = async () => (await states("stopped")).at(-1) === "running" && (await states("left-alone")).at(-1) === "running";
  await waitUntil("both run", bothRun, 30_000);
  const [head, base] = [instance("head-1"), instance("base-1")];
  // What an instance says of itself changes with it.
  const [before, baseBefore] = [whereIs(head), whereIs(base)];
  await ec2.send(new StopInstancesCommand({ InstanceIds: [head.id, base.id] }));
  await waitUntil("they are off", () => !head.host.isOn() && !base.host.isOn(), 30_000);
  await rack.ok(["up", environment, "--yes"]);
  expect(whereIs(instance("head-1"))).toEqual(before);
  const baseNow = whereIs(instance("base-1"));
  expect(baseNow.publicAddress).not.toBe(baseBefore.publicAddress);
  expect(recordedHost("base-1")).toBe(baseNow.publicAddress);
  await waitUntil("all are ready", async () => Object.values(await nodeStates(client)).every((state) => state === "ready"), 60_000);
  await waitUntil("both run again", bothRun, 60_000);
  expect(await states("left-alone")).toEqual(["running"]);
  expect(await dialled()).toMatchObject({ [baseNow.address]: [before.address] });
  for (const job of ["stopped", "left-alone"]) await client.cancelJob(job);
});

it("lets what it buys in its own network dial it from inside too", async () => {
  rack.write({ ...settings(), burst: burst() });
  await rack.ok(["up", environment, "--yes"]);
  await submitOverflow(client, "flood", { count: 8, seconds: 20 });
  const rows = async () => (await client.bursts({ all: true })).rows;
  const bought = async () => (await rows()).find(({ state }) => state === "live")?.nodes[0];
  await waitUntil("a burst is live", async () => (await bought()) !== undefined, 180_000);
  const { host } = instance((await bought()) ?? "");
  expect(await dialled()).toMatchObject({ [host.address]: [instance("head-1").host.address] });
});

it("leaves nothing in the cloud when it is destroyed", async () => {
  await rack.ok(["destroy", environment, "--yes"]);
  expect(rack.cloud.instances()).toEqual([]);
  const { Addresses = [] } = await ec2.send(new DescribeAddressesCommand({}));
  expect(Addresses).toEqual([]);
  const { Reservations = [] } = await ec2.send(new DescribeInstancesCommand({}));
  expect(
    Reservations.flatMap(({ Instances = [] }) => Instances.map(({ State }) => State?.Name)).filter((state) => state !== "terminated"),
  ).toEqual([]);
  const { Vpcs = [] } = await ec2.send(new DescribeVpcsCommand({ Filters: [{ Name: "tag-key", Values: ["spillway:environment-id"] }] }));
  expect(Vpcs).toEqual([]);
});
