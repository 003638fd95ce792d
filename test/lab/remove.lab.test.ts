/** Single nodes come off real hosts: clean after their tasks have ended, by name alone when they are out of reach, and by one line later. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "../../agent/contract/client.ts";
import { jobSpec } from "../../agent/contract/workload.ts";
import { type Checkout, makeCheckout } from "../support/checkout.ts";
import { waitUntil } from "../support/wait-until.ts";
import { allowedDifferences } from "./support/allowed-differences.ts";
import type { Container } from "./support/container.ts";
import type { HostSnapshot } from "./support/host-snapshot.ts";
import { bootLab, type Lab } from "./support/lab.ts";
import { endedJob, rackClient, writeRack } from "./support/rack.ts";
import { remainingDifferences } from "./support/snapshot-differences.ts";

const environment = "rack";
let lab: Lab;
let checkout: Checkout;
let client: Client;
const before = new Map<string, HostSnapshot>();

beforeAll(async () => {
  checkout = makeCheckout(environment);
  lab = await bootLab({ hosts: [{ name: "r1" }, { name: "r2" }, { name: "r3" }, { name: "r4", init: "openrc" }] });
  for (const host of lab.hosts) before.set(host.name, await host.snapshot());
  const hosts = lab.hosts.map((host) => ({ host }));
  writeRack(checkout, hosts, { heartbeat: { suspectAfter: "2s", disconnectedAfter: "3s", lostAfter: "6s" } });
  const { code, stderr } = await checkout.spillway(["up", environment, "--yes"]);
  if (code !== 0) throw new Error(stderr);
  client = rackClient(checkout);
});
afterAll(async () => {
  client?.dispose();
  await lab.close();
  checkout.remove();
});

const remove = (...words: string[]) => checkout.spillway(["nodes", "remove", ...words, "--env", environment, "--yes"]);
const left = (host: Container) => remainingDifferences(host, before.get(host.name) as HostSnapshot, { allowed: allowedDifferences });

it("a node whose task ends in time is removed after it, and its host bears no trace", async () => {
  await client.cordonNode("r1");
  await client.cordonNode("r3");
  await client.cordonNode("r4");
  await client.submitJob(jobSpec.parse({ name: "short", command: ["sleep", "8"], resources: { cpu: 100, memory: 32 } }));
  await waitUntil("it runs", async () => (await client.job("short")).state === "running");
  const { code, stdout, stderr } = await remove("r2");
  expect(code, stderr).toBe(0);
  expect(stdout).toContain("take it out of stacks/environment/Pulumi.rack.yaml line ");
  expect((await endedJob(client, "short", 10_000)).indexes[0]?.attempts).toHaveLength(1);
  expect((await client.nodes()).map(({ name }) => name)).toEqual(["r1", "r3", "r4"]);
  expect(await left(lab.host("r2"))).toEqual([]);
});

it.each([
  ["r3", "systemd"],
  ["r4", "OpenRC"],
])("a host that is out of reach (%s, %s) goes by --forget alone; later the printed line leaves no trace on it", async (name) => {
  const host = lab.host(name);
  await client.uncordonNode(name);
  await client.submitJob(
    jobSpec.parse({ name: `there-${name}`, command: ["sleep", "3000"], resources: { cpu: 100, memory: 32 }, retries: 2 }),
  );
  await waitUntil("it runs", async () => (await client.job(`there-${name}`)).state === "running");
  await host.powerOff({ hard: true });
  await waitUntil("it is silent", async () => (await client.node(name)).state !== "ready", 30_000);
  const refused = await remove(name);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(`spillway nodes remove ${name} --forget`);
  const { code, stdout, stderr } = await remove(name, "--forget");
  expect(code, stderr).toBe(0);
  expect((await client.nodes()).map((node) => node.name)).not.toContain(name);
  const line = stdout.split("\n").find((each) => each.startsWith("if [ -d /run/systemd/system ]")) ?? "";
  expect(line).not.toBe("");
  await host.powerOn();
  await host.read(line);
  expect(await left(host)).toEqual([]);
});

it("the rest is destroyed as ever", async () => {
  const { code, stderr } = await checkout.spillway(["destroy", environment, "--yes"]);
  expect(code, stderr).toBe(0);
  expect(await left(lab.host("r1"))).toEqual([]);
});
