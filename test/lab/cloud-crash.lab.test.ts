/**
 * kill -9 while a cloud is making machines: of the engine of `up`, of a burst's, of the burster and of the master. Counted
 * by the cloud and its machines: one per node that should be, and none for any other.
 */
import { readdirSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "../../agent/contract/client.ts";
import type { BurstRow } from "../../agent/contract/ledger.ts";
import { burstersOf, submitOverflow, untilSucceeded } from "../support/burst-scenario.ts";
import { readContext } from "../support/checkout.ts";
import { waitUntil } from "../support/wait-until.ts";
import { cloudInventory, emptyInventory, tagOf, unrecordedAddress } from "./support/cloud-inventory.ts";
import { type CloudRack, cloudRack, region } from "./support/cloud-rack.ts";
import { burstEnginesOf, enginesOf, killEngines, killOneAtRandom, killQuietly } from "./support/engine-at-work.ts";
import { nodeStates, rackClient } from "./support/rack.ts";

const environment = "rack";
const seed = Number(process.env.SPILLWAY_CRASH_SEED ?? 20_260_101);
const randomMoments = Number(process.env.SPILLWAY_CLOUD_MOMENTS ?? 1);
/** The bound within which all is accounted for again, whatever died: a launch and its second try, and what is unknown for a while. */
const accountedWithinMs = 180_000;
let round = 0;
let rack: CloudRack;
let client: Client;

beforeAll(async () => {
  rack = await cloudRack(environment);
});
afterAll(async () => {
  client?.dispose();
  await rack?.close();
});

const basePool = (count: number) => ({
  provider: "aws",
  region,
  instanceType: "m7i.large",
  count,
  zones: [`${region}a`],
  ...rack.access,
});

const burst = () => ({
  pools: {
    overflow: {
      provider: "aws",
      regions: [region],
      market: ["on-demand"],
      types: { cpu: [2, 2], names: ["c7i.*", "m7i.*"] },
      launchTimeout: "60s",
      ...rack.access,
    },
  },
  rules: [{ when: { pendingFor: "1s" }, perBurst: 2 }],
  maxNodes: 2,
  budget: { perHour: 1 },
  retire: { idleFor: "3s", minimumLife: "1s", drainDeadline: "10s" },
  retryAfter: "2s",
  sweep: { every: "3s", unknownAfter: "6s" },
});

/** The cloud's id of each machine, by the node it is tagged for; two for one node are both told. */
function machinesByNode(): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { id, description } of rack.cloud.instances()) (found[tagOf(description.Tags, "spillway:node") ?? "none"] ??= []).push(id);
  return found;
}

const counted = (machines: Record<string, string[]>) =>
  Object.fromEntries(Object.entries(machines).map(([node, ids]) => [node, ids.length]));
const nodesOf = (count: number) => Array.from({ length: count }, (_, index) => `base-${index + 1}`);
const oneEach = (nodes: readonly string[]) => Object.fromEntries(nodes.map((node) => [node, 1]));

/** Kills the engine of an `up` as soon as the cloud has that many machines, of which none is recorded. */
async function killUpWith(machines: number): Promise<void> {
  const { outcome } = rack.checkout.start(["up", environment, "--yes"], { env: rack.env });
  await Promise.race([
    waitUntil(`the cloud has ${machines} machines`, () => rack.cloud.instances().length === machines, 120_000),
    outcome.then(({ stderr }) => Promise.reject(new Error(`up ended before that: ${stderr}`))),
  ]);
  await killEngines(enginesOf(rack.checkout, environment));
  expect((await outcome).code).not.toBe(0);
}

async function expectAllWell(count: number): Promise<void> {
  const nodes = nodesOf(count);
  expect(counted(machinesByNode())).toEqual(oneEach(nodes));
  expect(await nodeStates(client)).toEqual(Object.fromEntries(["own", ...nodes].map((node) => [node, "ready"])));
  expect(await rack.ok(["fsck", environment])).toContain("Nothing is wrong.");
  expect(await rack.ok(["up", environment, "--yes"])).toContain("Nothing changed.");
}

it("takes over the machines that a killed up has made and not recorded, also while the cloud still starts them", async () => {
  rack.write({ pools: { base: basePool(2) } });
  rack.cloud.faults.slowCreate(15_000);
  await killUpWith(2);
  const before = machinesByNode();
  rack.cloud.faults.mend();
  await rack.ok(["up", environment, "--yes"]);
  client = rackClient(rack.checkout);
  expect(machinesByNode()).toEqual(before);
  await expectAllWell(2);
});

it("takes over a machine whose making was never answered", async () => {
  rack.write({ pools: { base: basePool(3) } });
  rack.cloud.faults.createNeverAnswers();
  await killUpWith(3);
  expect((await rack.spillway(["fsck", environment])).stdout).toMatch(/machine base-3 \(i-\w+\) is there and in no stack/);
  const before = machinesByNode();
  await rack.ok(["up", environment, "--yes"]);
  expect(machinesByNode()).toEqual(before);
  await expectAllWell(3);
});

const rows = async (): Promise<readonly BurstRow[]> => (await client.bursts({ all: true })).rows;

/** Why not everything of bursts is accounted for; undefined when each machine is that of one node of one live row. */
async function unaccounted(): Promise<string | undefined> {
  const known = await rows().catch(String);
  if (typeof known === "string") return known;
  const middle = known.filter(({ state }) => state !== "live" && state !== "gone");
  if (middle.length > 0) return middle.map(({ id, state, why }) => `${id} is ${state}: ${why}`).join("; ");
  const live = known.filter(({ state }) => state === "live").flatMap(({ nodes }) => nodes);
  const machines = counted(machinesByNode());
  const bought = Object.fromEntries(Object.entries(machines).filter(([node]) => !node.startsWith("base-")));
  const [wanted, found] = [oneEach(live), bought].map((one) =>
    Object.entries(one)
      .map(([node, count]) => `${node} ${count}`)
      .toSorted()
      .join(", "),
  );
  return wanted === found ? undefined : `live by the ledger: ${wanted}; by the cloud: ${found}`;
}

async function untilAccounted(): Promise<void> {
  let problem: string | undefined;
  await waitUntil("all is accounted for", async () => (problem = await unaccounted()) === undefined, accountedWithinMs).catch(
    (cause: unknown) => {
      throw new Error(`${String(cause)}: ${problem}`, { cause });
    },
  );
}

/** Jobs overflow the pool, `meanwhile` happens, all is done with one success each, and the cloud has no machine of a burst any more. */
async function goRound(meanwhile: () => Promise<void>, seconds = 8): Promise<void> {
  round += 1;
  const name = `round-${round}`;
  await submitOverflow(client, name, { count: 6, seconds });
  try {
    await meanwhile();
    await untilSucceeded(client, name, accountedWithinMs);
    await waitUntil(
      "every burst is gone",
      async () => (await rows().catch(() => undefined))?.every(({ state }) => state === "gone") === true,
      accountedWithinMs,
    );
    await untilAccounted();
  } finally {
    rack.cloud.faults.mend();
  }
  expect(counted(machinesByNode())).toEqual(oneEach(nodesOf(1)));
}

const boughtMachines = () => Object.keys(machinesByNode()).filter((node) => node.startsWith("b-"));
const isBuying = () =>
  waitUntil("the cloud makes a machine of a burst", () => boughtMachines().length > 0 && burstEnginesOf(rack.checkout).length > 0, 180_000);

it("finishes or undoes a burst whose engine is killed while the cloud makes its machines", async () => {
  rack.write({ pools: { base: basePool(1) }, burst: burst() });
  await rack.ok(["up", environment, "--yes"]);
  rack.cloud.faults.slowCreate(8000);
  await goRound(async () => {
    await isBuying();
    await killEngines(burstEnginesOf(rack.checkout));
    await untilAccounted();
  });
});

it("finishes or undoes a burst whose making was never answered, when burster and engine are killed", async () => {
  rack.cloud.faults.createNeverAnswers();
  await goRound(async () => {
    await isBuying();
    for (const { pid } of burstersOf(rack.checkout)) killQuietly(pid);
    await killEngines(burstEnginesOf(rack.checkout));
    await untilAccounted();
  });
});

it("undoes a burst whose making was never answered once its time is over, and buys again", async () => {
  rack.cloud.faults.createNeverAnswers();
  await goRound(isBuying);
  expect((await rows()).some(({ failure }) => failure?.includes("it was not launched within 60 s"))).toBe(true);
});

it.each(Array.from({ length: randomMoments }, (_unused, index) => index))(
  `random moment %i (seed ${seed}): one process of a burst's circle is killed`,
  async (index) => {
    let victim: string | undefined;
    await goRound(async () => {
      victim = await killOneAtRandom(rack, seed + index);
    }).catch(async (error: unknown) => {
      throw new Error(`after ${victim} was killed: ${String(error)}\n${await unaccounted()}`, { cause: error });
    });
  },
);

it("has had tasks on what it bought through all this, or has them as soon as nobody disturbs it", async () => {
  const isUsed = async () => (await rows()).some(({ usedAt }) => usedAt !== undefined);
  if (!(await isUsed())) await goRound(() => waitUntil("a burst is used", isUsed, accountedWithinMs), 30);
  expect(await isUsed()).toBe(true);
});

it("tells what an up that was killed has left, and leaves nothing of it in the cloud when it is destroyed", async () => {
  rack.write({ pools: { base: basePool(3) }, burst: burst() });
  rack.cloud.faults.slowCreate(10_000);
  await killUpWith(3);
  rack.cloud.faults.mend();
  const address = await unrecordedAddress(rack.cloud.url, readContext(rack.checkout).environmentId);
  const told = await rack.spillway(["fsck", environment]);
  expect(told).toMatchObject({ code: 1, stdout: expect.stringMatching(/machine base-3 \(i-\w+\) is there and in no stack/) });
  expect(told.stdout).toContain(`the address ${address} in aws is in no stack and costs 0.005 USD/hour`);
  await rack.ok(["destroy", environment, "--yes"]);
  expect(await cloudInventory(rack.cloud.url)).toEqual(emptyInventory);
  expect(readdirSync(rack.checkout.state)).toEqual(["logs"]);
});

it("leaves nothing in the cloud when the very first up is killed while it makes the network, and then a destroy", async () => {
  rack.write({ pools: { base: basePool(1) } });
  await killWhen(["up", environment, "--yes"], "CreateVpc");
  await rack.ok(["destroy", environment, "--yes"]);
  expect(await cloudInventory(rack.cloud.url)).toEqual(emptyInventory);
  await rack.ok(["up", environment, "--yes"]);
  await killWhen(["destroy", environment, "--yes"], "TerminateInstances");
  await rack.ok(["destroy", environment, "--yes"]);
  expect(await cloudInventory(rack.cloud.url)).toEqual(emptyInventory);
});

/** Kills the engine of a command as soon as the cloud has heard this call from it. */
async function killWhen(words: readonly string[], call: string): Promise<void> {
  const calls = () => rack.cloud.calls.filter((one) => one === call).length;
  const before = calls();
  const { outcome } = rack.checkout.start(words, { env: rack.env });
  await Promise.race([
    waitUntil(`the cloud hears ${call}`, () => calls() > before, 120_000),
    outcome.then(({ stderr }) => Promise.reject(new Error(`it ended before ${call}: ${stderr}`))),
  ]);
  await killEngines(enginesOf(rack.checkout, environment));
  expect((await outcome).code).not.toBe(0);
}
