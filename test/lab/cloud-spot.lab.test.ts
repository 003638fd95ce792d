/** A spot machine that its cloud takes back: every task of it runs elsewhere before it goes, and its burst is closed. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { Client } from "../../agent/contract/client.ts";
import type { BurstRow } from "../../agent/contract/ledger.ts";
import { waitUntil } from "../support/wait-until.ts";
import { cloudInventory, emptyInventory, tagOf } from "./support/cloud-inventory.ts";
import { type CloudRack, cloudRack, region } from "./support/cloud-rack.ts";
import { nodeStates, rackClient } from "./support/rack.ts";

const environment = "rack";
const tasks = 20;
let rack: CloudRack;
let client: Client;

const burst = () => ({
  pools: {
    spot: {
      provider: "aws",
      regions: [region],
      market: ["spot"],
      types: { cpu: [2, 2], names: ["m7i.large", "r7i.large"] },
      launchTimeout: "90s",
      ...rack.access,
    },
  },
  rules: [{ when: { pendingFor: "1s" } }],
  maxNodes: 2,
  budget: { perHour: 1 },
  retire: { idleFor: "5s", minimumLife: "1s", drainDeadline: "10s" },
  sweep: { every: "3s", unknownAfter: "10s" },
});

beforeAll(async () => {
  rack = await cloudRack(environment);
  rack.write({ burst: burst() });
  await rack.ok(["up", environment, "--yes"]);
  client = rackClient(rack.checkout);
});
afterAll(async () => {
  client?.dispose();
  await rack?.close();
});

/** What one test has left must not be taken for another's. */
afterEach(async () => {
  if (!existsSync(join(rack.checkout.state, "context.json"))) return;
  for (const { id } of [...(await client.jobs("pending")), ...(await client.jobs("running"))]) await client.cancelJob(id);
  await untilAllGone();
});

const rows = async (): Promise<readonly BurstRow[]> => (await client.bursts({ all: true })).rows;
const untilAllGone = () => waitUntil("every burst is gone", async () => (await rows()).every(({ state }) => state === "gone"), 120_000);

/** Tasks of a twentieth of a core that run until they are cancelled. */
async function submitTasks(name: string): Promise<void> {
  const resources = { cpu: 50, memory: 16 };
  await client.submitJob({ name, command: ["sleep", "3600"], count: tasks, resources, retries: 0, graceMs: 2000 });
}

/** Takes all cores of the own host, so that what comes after it needs a machine of the cloud. */
async function fillOwn(name: string): Promise<void> {
  await waitUntil("the own host is idle", async () => (await client.node("own")).tasks === 0, 30_000);
  const { capacity } = await client.node("own");
  await client.submitJob({
    name,
    command: ["sleep", "3600"],
    resources: { cpu: capacity.cpu, memory: 16 },
    nodePool: "rack",
    graceMs: 500,
  });
  await waitUntil("the own host is full", async () => (await client.job(name)).counts.active === 1, 10_000);
}

/** Node → how many of the job's tasks run there. */
async function whereItRuns(name: string): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const { attempts } of (await client.job(name)).indexes)
    for (const { node, state } of attempts) if (state === "running") found[node] = (found[node] ?? 0) + 1;
  return found;
}

/** The one machine of the burst that is live, on which all tasks of the job run. */
async function untilBurstCarries(name: string) {
  const carrier = async () => Object.entries(await whereItRuns(name)).find(([node, count]) => node.startsWith("b-") && count === tasks);
  await waitUntil(`${name} runs on a machine of the cloud`, async () => (await carrier()) !== undefined, 120_000).catch(
    async (cause: unknown) => {
      throw new Error(`${String(cause)}: ${(await client.explain(`job/${name}`)).summary}`, { cause });
    },
  );
  const row = (await rows()).find(({ state }) => state === "live");
  const machine = rack.cloud.instances().find(({ description }) => tagOf(description.Tags, "spillway:burst") === row?.id);
  if (row === undefined || machine === undefined) throw new Error("no burst carries it");
  expect(machine.description.InstanceLifecycle).toBe("spot");
  const [node = ""] = row.nodes;
  return { row, machine, node };
}

async function expectTold(node: string): Promise<void> {
  const { events } = await client.events({ subject: `node/${node}` });
  const told = events.filter(({ kind }) => kind === "node-reclaimed").map(({ message }) => message);
  expect(told).toHaveLength(1);
  expect(told[0]).toMatch(
    new RegExp(`is taken away by its cloud at .* it gets no new task, and its ${tasks} tasks are tried again elsewhere`),
  );
}

async function expectClosed({ id }: BurstRow, machine: string): Promise<void> {
  await waitUntil("its burst is gone", async () => (await client.burst(id)).state === "gone", 150_000);
  expect(rack.cloud.instances().map((one) => one.id)).not.toContain(machine);
}

it.each([120, 30])("runs 20 of 20 tasks elsewhere before a machine goes that is taken back in %i s", async (seconds) => {
  const [filler, name] = [`filler-${seconds}`, `tasks-${seconds}`];
  await fillOwn(filler);
  await submitTasks(name);
  const { row, machine, node } = await untilBurstCarries(name);
  await client.cancelJob(filler);
  await waitUntil("the own host has room", async () => (await client.job(filler)).counts.active === 0, 10_000);
  const noticedAt = Date.now();
  rack.cloud.spotNotice(machine.id, seconds);
  await waitUntil("all of them run on the own host", async () => (await whereItRuns(name)).own === tasks, seconds * 1000);
  expect(Date.now() - noticedAt).toBeLessThan(seconds * 1000);
  expect(machine.host.isOn()).toBe(true);
  await expectTold(node);
  for (const { attempts } of (await client.job(name)).indexes) {
    expect(attempts).toMatchObject([
      { node, fault: "node" },
      { node: "own", state: "running" },
    ]);
  }
  await expectClosed(row, machine.id);
  expect(await whereItRuns(name)).toEqual({ own: tasks });
  expect(await nodeStates(client)).toEqual({ own: "ready" });
});

it("buys another machine first, and lets the tasks run until it is there, when there is no room elsewhere", async () => {
  await fillOwn("filler-full");
  await submitTasks("tasks-full");
  const { row, machine, node } = await untilBurstCarries("tasks-full");
  rack.cloud.spotNotice(machine.id, 120);
  await waitUntil(
    "all of them run on another machine",
    async () =>
      Object.entries(await whereItRuns("tasks-full")).some(([on, count]) => on !== node && on.startsWith("b-") && count === tasks),
    120_000,
  );
  await expectTold(node);
  const [next] = (await rows()).filter(({ id, usedAt }) => id !== row.id && usedAt !== undefined && usedAt > (row.usedAt ?? 0));
  const joinedAt = Math.min(...Object.values(next?.joined ?? {}));
  for (const { attempts } of (await client.job("tasks-full")).indexes) expect(attempts[0]?.finishedAt).toBeGreaterThanOrEqual(joinedAt);
  await expectClosed(row, machine.id);
});

it("cordons a machine that its cloud advises to leave, and keeps its tasks", async () => {
  await fillOwn("filler-advice");
  await submitTasks("tasks-advice");
  const { machine, node } = await untilBurstCarries("tasks-advice");
  rack.cloud.rebalanceNotice(machine.id);
  const told = async () => (await client.events({ subject: `node/${node}` })).events.some(({ kind }) => kind === "node-rebalance");
  await waitUntil("it is told", told, 30_000);
  expect(await client.node(node)).toMatchObject({ state: "ready", scheduling: "cordoned" });
  expect(await whereItRuns("tasks-advice")).toEqual({ [node]: tasks });
});

it("leaves nothing in the cloud when it is destroyed", async () => {
  await rack.ok(["destroy", environment, "--yes"]);
  expect(await cloudInventory(rack.cloud.url)).toEqual(emptyInventory);
});
