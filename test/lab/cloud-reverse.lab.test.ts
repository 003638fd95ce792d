/** `reach: reverse`: machines of a cloud get to a master that they can't dial, through tunnels that the burster holds. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "../../agent/contract/client.ts";
import { burstersOf, submitOverflow, untilSucceeded } from "../support/burst-scenario.ts";
import { waitUntil } from "../support/wait-until.ts";
import { type CloudRack, cloudRack, region } from "./support/cloud-rack.ts";
import { nodeStates, rackClient } from "./support/rack.ts";

const environment = "rack";
let rack: CloudRack;
let client: Client;

beforeAll(async () => {
  rack = await cloudRack(environment);
});
afterAll(async () => {
  client?.dispose();
  await rack?.close();
});

/** Where the agent's connections of this machine lead. */
async function dialledBy(
  host: CloudRack["cloud"] extends { instances(): (infer One)[] } ? (One extends { host: infer Host } ? Host : never) : never,
) {
  const text = await host.read(["ss", "-Htn", "state", "established", "dport", "=", ":7070"]);
  return [
    ...new Set(
      text
        .trim()
        .split("\n")
        .flatMap((line) => line.split(/\s+/)[3] ?? []),
    ),
  ];
}

it("brings machines of a cloud into the pool, whose agents dial their own loopback", async () => {
  rack.write({
    reach: "reverse",
    pools: { base: { provider: "aws", region, instanceType: "m7i.large", zones: [`${region}a`], ...rack.access } },
    burst: {
      pools: {
        overflow: { provider: "aws", regions: [region], market: ["on-demand"], types: { cpu: [2, 2], names: ["m7i.*"] }, ...rack.access },
      },
      rules: [{ when: { pendingFor: "1s" } }],
      maxNodes: 1,
      budget: { perHour: 1 },
      retire: { idleFor: "3s", minimumLife: "1s", drainDeadline: "10s" },
      sweep: { every: "3s", unknownAfter: "10s" },
    },
  });
  await rack.ok(["up", environment, "--yes"]);
  client = rackClient(rack.checkout);
  expect(await nodeStates(client)).toEqual({ own: "ready", "base-1": "ready" });
  const [machine] = rack.cloud.instances();
  if (machine === undefined) throw new Error("no machine");
  expect(await dialledBy(machine.host)).toEqual(["127.0.0.1:7070"]);
  expect(await rack.ok(["up", environment, "--yes"])).toContain("Nothing changed.");
});

it("keeps nodes and their tasks while the burster dies and comes back", async () => {
  await client.submitJob({ name: "long", command: ["sleep", "600"], count: 2, resources: { cpu: 100, memory: 32 } });
  await waitUntil(
    "both run",
    async () => (await client.job("long")).indexes.every(({ attempts }) => attempts[0]?.state === "running"),
    30_000,
  );
  const connected = async () => (await client.node("base-1")).agentSince ?? 0;
  const before = await connected();
  const [burster] = burstersOf(rack.checkout);
  if (burster === undefined) throw new Error("no burster");
  process.kill(burster.pid, "SIGKILL");
  await waitUntil("another burster runs", () => burstersOf(rack.checkout).some(({ pid }) => pid !== burster.pid), 30_000);
  await waitUntil("its agent is connected anew", async () => (await connected()) > before, 60_000);
  expect(await nodeStates(client)).toMatchObject({ "base-1": "ready" });
  for (const { attempts } of (await client.job("long")).indexes) expect(attempts).toHaveLength(1);
});

it("reaches machines of bursts the same way", async () => {
  await submitOverflow(client, "flood", { count: 8, seconds: 10 });
  await untilSucceeded(client, "flood", 240_000);
  const nodes = (await client.job("flood")).indexes.flatMap(({ attempts }) => attempts.map(({ node }) => node));
  expect(nodes.some((node) => node.startsWith("b-"))).toBe(true);
});

it("leaves nothing in the cloud when it is destroyed", async () => {
  await rack.ok(["destroy", environment, "--yes"]);
  expect(rack.cloud.instances()).toEqual([]);
});
