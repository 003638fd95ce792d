/**
 * kill -9 at every point that only machines of a cloud pass: the same command again ends as if nothing had happened. Before and
 * after each with SPILLWAY_CRASH_FULL, else one of the two.
 */
import { join } from "node:path";
import { EC2 } from "@aws-sdk/client-ec2";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { CrashPoint } from "../../agent/contract/crash-point.ts";
import { readContext } from "../support/checkout.ts";
import { cloudPoints } from "../support/crash-suites.ts";
import { waitUntil } from "../support/wait-until.ts";
import { cloudInventory, emptyInventory } from "./support/cloud-inventory.ts";
import { type CloudRack, cloudRack, region } from "./support/cloud-rack.ts";
import { nodeStates, rackClient } from "./support/rack.ts";

const environment = "rack";
const full = process.env.SPILLWAY_CRASH_FULL === "1";
const hit = new Set<CrashPoint>();
let rack: CloudRack;
let ec2: EC2;

beforeAll(async () => {
  rack = await cloudRack(environment);
  ec2 = new EC2({ region, endpoint: rack.cloud.url, credentials: { accessKeyId: "double", secretAccessKey: "double" } });
});
afterAll(async () => {
  ec2?.destroy();
  await rack?.close();
});

function write(count: number): void {
  rack.write({ pools: { base: { provider: "aws", region, instanceType: "m7i.large", count, zones: [`${region}a`], ...rack.access } } });
}

/** The command dies there, in one of its processes, and does its work when it is run again. */
async function killedAt(point: CrashPoint, moment: "before" | "after", words: readonly string[]): Promise<void> {
  const marker = join(rack.lab.directory, `crashed-${point}-${moment}`);
  const killed = await rack.spillway(words, { SPILLWAY_CRASH_AT: `${point}:${moment}`, SPILLWAY_CRASH_MARKER: marker });
  expect(killed.code, `${point}:${moment} was not passed\n${killed.stdout}\n${killed.stderr}`).not.toBe(0);
  hit.add(point);
  let again = await rack.spillway(words);
  // The engine of a command that was killed goes on for a moment.
  await waitUntil(
    "no other engine is at work",
    async () => {
      if (!/is changing this environment right now/.test(again.stderr)) return true;
      again = await rack.spillway(words);
      return false;
    },
    60_000,
  );
  expect(again, `${words.join(" ")} after ${point}:${moment}\n${again.stdout}\n${again.stderr}`).toMatchObject({ code: 0 });
}

async function expectNodes(count: number): Promise<void> {
  const client = rackClient(rack.checkout);
  try {
    const wanted = Object.fromEntries(Array.from({ length: count }, (_unused, index) => [`base-${index + 1}`, "ready"]));
    await waitUntil("all are ready", async () => JSON.stringify(await nodeStates(client)).includes("ready"), 30_000);
    expect(await nodeStates(client)).toEqual({ own: "ready", ...wanted });
  } finally {
    client.dispose();
  }
  expect(rack.cloud.instances()).toHaveLength(count);
}

type Moment = "before" | "after";
const births: readonly (readonly [machines: number, CrashPoint, Moment])[] = full
  ? [
      [1, "remote.host-key", "before"],
      [2, "remote.host-key", "after"],
      [3, "remote.retire-seed", "before"],
      [4, "remote.retire-seed", "after"],
    ]
  : [
      [1, "remote.host-key", "after"],
      [2, "remote.retire-seed", "before"],
    ];
it.each(births)("machine %i becomes a node, whoever died at %s:%s", async (count, point, moment) => {
  write(count);
  await killedAt(point, moment, ["up", environment, "--yes"]);
  await expectNodes(count);
});

const starts: readonly Moment[] = full ? ["before", "after"] : ["after"];
it.each(starts)("a machine that its cloud has stopped is switched on, whoever died at cloud.start:%s", async (moment) => {
  const machine = rack.cloud.instances().at(-1);
  const machines = rack.cloud.instances().length;
  await ec2.stopInstances({ InstanceIds: [machine?.id ?? ""] });
  await waitUntil("it is off", () => machine?.host.isOn() === false, 60_000);
  await killedAt("cloud.start", moment, ["up", environment, "--yes"]);
  await expectNodes(machines);
});

const teardowns: readonly (readonly [CrashPoint, Moment])[] = full
  ? [
      ["cloud.sweep", "before"],
      ["cloud.delete", "before"],
      ["cloud.delete", "after"],
      ["cloud.sweep", "after"],
    ]
  : [
      ["cloud.delete", "after"],
      ["cloud.sweep", "after"],
    ];
it.each(teardowns)("nothing is left in the cloud after a teardown that died at %s:%s", async (point, moment) => {
  write(1);
  const up = await rack.spillway(["up", environment, "--yes"]);
  expect(up, up.stderr).toMatchObject({ code: 0 });
  const { environmentId } = readContext(rack.checkout);
  const { Images } = await ec2.describeImages({ Owners: ["136693071363"] });
  const Tags = [
    ["spillway:environment-id", environmentId],
    ["spillway:environment", environment],
    ["spillway:pool", "base"],
    ["spillway:node", "base-7"],
  ].map(([Key = "", Value = ""]) => ({ Key, Value }));
  const { Subnets } = await ec2.describeSubnets({ Filters: [{ Name: "tag:spillway:environment-id", Values: [environmentId] }] });
  // As a run that was killed leaves one: in the environment's own network, which can't go while it is there.
  await ec2.runInstances({
    ImageId: Images?.[0]?.ImageId ?? "",
    InstanceType: "m7i.large",
    MinCount: 1,
    MaxCount: 1,
    NetworkInterfaces: [{ DeviceIndex: 0, SubnetId: Subnets?.[0]?.SubnetId, DeleteOnTermination: true }],
    TagSpecifications: [{ ResourceType: "instance", Tags }],
  });
  await killedAt(point, moment, ["destroy", environment, "--yes"]);
  expect(rack.cloud.instances()).toEqual([]);
  expect(await cloudInventory(rack.cloud.url)).toEqual(emptyInventory);
});

it("every point that only machines of a cloud pass was hit", () => {
  expect(cloudPoints.filter((point) => !hit.has(point))).toEqual([]);
});
