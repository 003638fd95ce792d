/** Own hosts and a cloud in one pool: machines that are known before the first connection, bursts, and nothing left in the cloud. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "../../agent/contract/client.ts";
import { submitOverflow, untilSucceeded } from "../support/burst-scenario.ts";
import { waitUntil } from "../support/wait-until.ts";
import { azureRegion, type CloudRack, cloudRack, region } from "./support/cloud-rack.ts";
import { nodeStates, rackClient } from "./support/rack.ts";

const environment = "rack";
let rack: CloudRack;
let client: Client;

beforeAll(async () => {
  rack = await cloudRack(environment, { azure: true });
});
afterAll(async () => {
  client?.dispose();
  await rack?.close();
});

const westPool = () => ({ provider: "azure", region: azureRegion, instanceType: "Standard_D2s_v5", count: 1, ...rack.access });
const basePool = () => ({ provider: "aws", region, instanceType: "m7i.large", count: 2, zones: [`${region}a`], ...rack.access });

it("brings up own hosts and machines of a cloud as one pool", async () => {
  rack.write({ pools: { base: basePool(), west: westPool() } });
  await rack.ok(["up", environment, "--yes"]);
  client = rackClient(rack.checkout);
  expect(await nodeStates(client)).toEqual({ own: "ready", "base-1": "ready", "base-2": "ready", "west-1": "ready" });
  expect(rack.cloud.instances()).toHaveLength(2);
  expect(rack.azure?.machines()).toHaveLength(1);
  const providers = (await client.nodes()).map(({ declaration }) => declaration.provider);
  expect(providers.toSorted()).toEqual(["aws", "aws", "azure", "ssh"]);
});

it("changes nothing when it is brought up again", async () => {
  expect(await rack.ok(["up", environment, "--yes"])).toContain("Nothing changed.");
  await rack.ok(["preview", environment, "--expect-no-changes"]);
});

it("has no way in by the key that a machine was born with, and none to instance metadata for its tasks", async () => {
  for (const { host } of rack.cloud.instances()) expect(host.hostPublicKeys().map((line) => line.split(" ")[0])).toEqual(["ssh-ed25519"]);
  const ask = "http://169.254.169.254/latest/api/token";
  const script = `python3 -c 'import urllib.request as u; u.urlopen(u.Request("${ask}", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": "60"}), timeout=5)'`;
  const [machine] = rack.cloud.instances();
  // The machine itself may ask: what refuses a task is no missing service.
  expect((await machine?.host.exec(["sh", "-c", script]))?.code).toBe(0);
  const asked = await rack.spillway(["run", "--cpu", "0.1", "--memory", "64Mi", "--node-pool", "base", "--", "sh", "-c", script]);
  expect(asked.code).not.toBe(0);
  expect(`${asked.stdout}${asked.stderr}`).toMatch(/unreachable|refused|denied|prohibit/i);
});

it.each(["rack", "base", "west"])("runs a job on the node pool %s", async (pool) => {
  expect(await rack.ok(["run", "--cpu", "0.1", "--memory", "32Mi", "--node-pool", pool, "--", "hostname"])).not.toBe("");
});

it("makes a machine anew, from the image of today, when its node was removed and is still in the settings", async () => {
  const ids = () => [...rack.cloud.instances().map(({ id }) => id), ...(rack.azure?.machines() ?? []).map(({ vmId }) => vmId)];
  const before = ids();
  for (const node of ["base-2", "west-1"]) await rack.ok(["nodes", "remove", node, "--yes", "--env", environment]);
  expect(Object.keys(await nodeStates(client)).toSorted()).toEqual(["base-1", "own"]);
  expect(ids()).toHaveLength(1);
  await rack.ok(["up", environment, "--yes"]);
  expect(await nodeStates(client)).toEqual({ own: "ready", "base-1": "ready", "base-2": "ready", "west-1": "ready" });
  expect(ids().filter((id) => before.includes(id))).toHaveLength(1);
  expect(ids()).toHaveLength(3);
});

const burstPools = () => ({
  aws: { provider: "aws", regions: [region], market: ["on-demand"], types: { cpu: [2, 2], names: ["c7i.*", "m7i.*"] }, ...rack.access },
  azure: { provider: "azure", regions: [azureRegion], market: ["on-demand"], types: { cpu: [2, 2] }, ...rack.access },
});

it.each([
  ["aws", () => rack.cloud.instances().length, 2],
  ["azure", () => rack.azure?.machines().length, 1],
] as const)("bursts into %s while jobs overflow the pool, by its own prices, and gives the machines back", async (cloud, count, usual) => {
  const burst = {
    pools: burstPools(),
    rules: [{ when: { pendingFor: "1s" }, use: [cloud] }],
    maxNodes: 2,
    budget: { perHour: 1 },
    retire: { idleFor: "3s", minimumLife: "1s", drainDeadline: "10s" },
    sweep: { every: "3s", unknownAfter: "10s" },
  };
  rack.write({ pools: { base: basePool(), west: westPool() }, burst });
  await rack.ok(["up", environment, "--yes"]);
  const name = `flood-${cloud}`;
  await submitOverflow(client, name, { count: 24, seconds: 15 });
  const rows = async () => (await client.bursts({ all: true })).rows.filter(({ burstPool }) => burstPool === cloud);
  await waitUntil("a burst is used", async () => (await rows()).some(({ usedAt }) => usedAt !== undefined), 180_000);
  await untilSucceeded(client, name, 180_000);
  const nodes = (await client.job(name)).indexes.flatMap(({ attempts }) => attempts.map(({ node }) => node));
  expect(nodes.filter((node) => node.startsWith("b-")).length).toBeGreaterThanOrEqual(1);
  await waitUntil("every burst is gone", async () => (await rows()).every(({ state }) => state === "gone"), 180_000);
  expect(count()).toBe(usual);
});

it("leaves nothing in the cloud when it is destroyed", async () => {
  await rack.ok(["destroy", environment, "--yes"]);
  expect(rack.cloud.instances()).toEqual([]);
  expect(rack.azure?.machines()).toEqual([]);
  expect(rack.azure?.arm.ids()).toEqual([]);
});
