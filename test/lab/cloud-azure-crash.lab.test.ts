/**
 * kill -9 while Azure is making things for an environment and for a burst. Azure's names follow from whose a thing is, and Pulumi's
 * azure-native makes nothing that exists: what nobody has recorded is taken over or made again, and in the end nothing is left.
 */
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { Client } from "../../agent/contract/client.ts";
import type { BurstRow } from "../../agent/contract/ledger.ts";
import type { AzureCloud } from "../doubles/azure-cloud.ts";
import { burstersOf, submitOverflow, untilSucceeded } from "../support/burst-scenario.ts";
import { waitUntil } from "../support/wait-until.ts";
import type { CloudHost } from "./support/cloud-host.ts";
import { azureRegion, type CloudRack, cloudRack } from "./support/cloud-rack.ts";
import { burstEnginesOf, enginesOf, killEngines, killOneAtRandom, killQuietly } from "./support/engine-at-work.ts";
import { nodeStates, rackClient } from "./support/rack.ts";

const environment = "rack";
/** The bound within which all is accounted for again, whatever died: a launch and its second try, and what is unknown for a while. */
const accountedWithinMs = 240_000;
const full = process.env.SPILLWAY_CRASH_FULL === "1";
const seed = Number(process.env.SPILLWAY_CRASH_SEED ?? 20_260_101);
const randomMoments = Number(process.env.SPILLWAY_CLOUD_MOMENTS ?? 1);
let round = 0;
let rack: CloudRack;
let azure: AzureCloud<CloudHost>;
let client: Client;

beforeAll(async () => {
  rack = await cloudRack(environment, { azure: true });
  if (rack.azure === undefined) throw new Error("no Azure");
  azure = rack.azure;
});
afterAll(async () => {
  client?.dispose();
  await rack?.close();
});
afterEach(() => azure.faults.mend());

const westPool = (count: number) => ({ provider: "azure", region: azureRegion, instanceType: "Standard_D2s_v5", count, ...rack.access });

const burst = () => ({
  pools: {
    overflow: {
      provider: "azure",
      regions: [azureRegion],
      market: ["on-demand"],
      types: { cpu: [2, 2] },
      launchTimeout: "60s",
      ...rack.access,
    },
  },
  rules: [{ when: { pendingFor: "1s" } }],
  maxNodes: 2,
  budget: { perHour: 1 },
  retire: { idleFor: "3s", minimumLife: "1s", drainDeadline: "10s" },
  retryAfter: "2s",
  sweep: { every: "3s", unknownAfter: "6s" },
});

const write = (count: number) => rack.write({ pools: count === 0 ? {} : { west: westPool(count) }, burst: burst() });

/** Azure's own UUID of each machine, by the node it is tagged for. */
function machinesByNode(): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { vmId, description } of azure.machines()) (found[description.tags?.["spillway:node"] ?? "none"] ??= []).push(vmId);
  return found;
}

const nodesOf = (count: number) => Array.from({ length: count }, (_, index) => `west-${index + 1}`);
const counted = () => Object.fromEntries(Object.entries(machinesByNode()).map(([node, ids]) => [node, ids.length]));
const oneEach = (nodes: readonly string[]) => Object.fromEntries(nodes.map((node) => [node, 1]));

async function expectAllWell(count: number): Promise<void> {
  const nodes = nodesOf(count);
  expect(counted()).toEqual(oneEach(nodes));
  expect(await nodeStates(client)).toEqual(Object.fromEntries(["own", ...nodes].map((node) => [node, "ready"])));
  expect(await rack.ok(["fsck", environment])).toContain("Nothing is wrong.");
  expect(await rack.ok(["up", environment, "--yes"])).toContain("Nothing changed.");
}

/** Kills the engine of a command as soon as that is so, of which it has not heard. */
async function killedWhen(words: readonly string[], what: string, isSo: () => boolean): Promise<void> {
  const { outcome } = rack.checkout.start(words, { env: rack.env });
  await Promise.race([
    waitUntil(what, isSo, 120_000),
    outcome.then(({ stdout, stderr }) => Promise.reject(new Error(`it ended before ${what}: ${stdout}\n${stderr}`))),
  ]);
  await killEngines(enginesOf(rack.checkout, environment));
  expect((await outcome).code).not.toBe(0);
}

type KilledAt = readonly [what: string, machines: number, request: RegExp, always?: "always"];

/** All of them with SPILLWAY_CRASH_FULL. */
function chosen(cases: readonly KilledAt[]) {
  return cases
    .filter(([, , , always]) => full || always !== undefined)
    .map(([what, machines, request]) => [what, machines, request] as const);
}

/** Azure does the next requests of that kind, and nobody is told; the engine that waits for its answers is killed. */
async function killedAtUnanswered(words: readonly string[], request: RegExp, times = 1): Promise<void> {
  const { arm } = azure;
  const { answerTo } = arm;
  let done = 0;
  Object.assign(arm, {
    async answerTo(asked: Parameters<typeof answerTo>[0]) {
      const told = await answerTo(asked);
      if (done === times || !request.test(`${asked.method} ${asked.url.split("?")[0]}`)) return told;
      done += 1;
      return undefined;
    },
  });
  try {
    await killedWhen(words, `Azure hears ${String(request)}`, () => done === times);
  } finally {
    Object.assign(arm, { answerTo });
  }
}

// Each run has first to put right what the one before it has left. Machines are wanted only where theirs is meant: else they are made beside it.
it.each(
  chosen([
    ["its group", 0, /^PUT .*\/resourceGroups\/[^/]+$/, "always"],
    ["a security group", 0, /^PUT .*\/networkSecurityGroups\/[^/]+$/],
    ["its network", 0, /^PUT .*\/virtualNetworks\/[^/]+$/],
    ["the role of its bursts", 0, /^PUT .*\/roleDefinitions\/[^/]+$/, "always"],
    ["the addresses of two machines", 2, /^PUT .*\/publicIPAddresses\/[^/]+$/],
    ["the interfaces of two machines", 2, /^PUT .*\/networkInterfaces\/[^/]+$/],
    ["two machines that find no place", 2, /^PUT .*\/virtualMachines\/[^/]+$/, "always"],
  ]),
)("gets further in the next up when one was killed at %s", async (what, machines, request) => {
  write(machines);
  if (what.includes("no place")) azure.faults.stockout(undefined, undefined, "while-allocating");
  await killedAtUnanswered(["up", environment, "--yes"], request, Math.max(1, machines));
});

it("takes over the machines that the last of them has made and not recorded, also while Azure still starts them", async () => {
  write(2);
  azure.faults.slowCreate(150);
  await killedWhen(["up", environment, "--yes"], "two machines boot", () => azure.machines().length === 2);
  azure.faults.mend();
  const before = machinesByNode();
  await rack.ok(["up", environment, "--yes"]);
  client = rackClient(rack.checkout);
  expect(machinesByNode()).toEqual(before);
  await expectAllWell(2);
});

it("takes over a machine whose making was never answered, and fsck tells of it before", async () => {
  write(3);
  azure.faults.createNeverAnswers();
  await killedWhen(["up", environment, "--yes"], "another machine is made", () => azure.machines().length === 3);
  expect((await rack.spillway(["fsck", environment])).stdout).toMatch(/machine west-3 \(\S+\) is there and in no stack/);
  const before = machinesByNode();
  await rack.ok(["up", environment, "--yes"]);
  expect(machinesByNode()).toEqual(before);
  await expectAllWell(3);
});

const rows = async (): Promise<readonly BurstRow[]> => (await client.bursts({ all: true })).rows;

/** Jobs overflow the pool, `meanwhile` happens, all is done with one success each, and Azure has what it had before. */
async function goRound(meanwhile: () => Promise<void>, seconds = 8): Promise<void> {
  round += 1;
  const name = `round-${round}`;
  const before = azure.arm.ids().toSorted();
  const last = (await rows()).length;
  await submitOverflow(client, name, { count: 12, seconds });
  await meanwhile();
  await untilSucceeded(client, name, accountedWithinMs);
  await waitUntil(
    "every burst is gone",
    async () => (await rows().catch(() => undefined))?.every(({ state }) => state === "gone") === true,
    accountedWithinMs,
  );
  expect((await rows()).length).toBeGreaterThan(last);
  expect(azure.arm.ids().toSorted()).toEqual(before);
  expect(counted()).toEqual(oneEach(nodesOf(3)));
  expect(await rack.ok(["fsck", environment])).toContain("Nothing is wrong.");
}

const isBuying = () =>
  waitUntil(
    "Azure makes a machine of a burst",
    () => Object.keys(machinesByNode()).some((node) => node.startsWith("b-")) && burstEnginesOf(rack.checkout).length > 0,
    180_000,
  );

it("finishes or undoes a burst whose engine is killed while Azure makes its machine", async () => {
  azure.faults.slowCreate(80);
  await goRound(async () => {
    await isBuying();
    await killEngines(burstEnginesOf(rack.checkout));
  });
});

it("finishes or undoes a burst whose making was never answered, when burster and engine are killed", async () => {
  azure.faults.createNeverAnswers();
  await goRound(async () => {
    await isBuying();
    for (const { pid } of burstersOf(rack.checkout)) killQuietly(pid);
    await killEngines(burstEnginesOf(rack.checkout));
  });
});

it.each(Array.from({ length: randomMoments }, (_unused, index) => index))(
  `random moment %i (seed ${seed}): one process of a burst's circle is killed`,
  async (index) => {
    let victim: string | undefined;
    await goRound(async () => {
      victim = await killOneAtRandom(rack, seed + index);
    }).catch(async (error: unknown) => {
      const known = await rows().catch(() => []);
      const open = known.filter(({ state }) => state !== "gone").map(({ id, state, why }) => `${id} is ${state}: ${why}`);
      throw new Error(`after ${victim} was killed: ${String(error)}\n${open.join("\n")}`, { cause: error });
    });
  },
);

it("has had tasks on what it bought through all this, or has them as soon as nobody disturbs it", async () => {
  const isUsed = async () => (await rows()).some(({ usedAt }) => usedAt !== undefined);
  if (!(await isUsed())) await goRound(() => waitUntil("a burst is used", isUsed, accountedWithinMs), 30);
  expect(await isUsed()).toBe(true);
});

it("leaves nothing at Azure when it is destroyed after an up that was killed, whatever that has made", async () => {
  write(4);
  azure.faults.createNeverAnswers();
  await killedWhen(["up", environment, "--yes"], "another machine is made", () => azure.machines().length === 4);
  await rack.ok(["destroy", environment, "--yes"]);
  expect(azure.arm.ids()).toEqual([]);
});

it.each(
  chosen([
    ["its group", 1, /^PUT .*\/resourceGroups\/[^/]+$/],
    ["its network", 1, /^PUT .*\/virtualNetworks\/[^/]+$/],
    ["the role of its bursts", 1, /^PUT .*\/roleDefinitions\/[^/]+$/],
    ["a machine's interface", 1, /^PUT .*\/networkInterfaces\/[^/]+$/, "always"],
  ]),
)("leaves nothing at Azure when it is destroyed after a very first up that was killed at %s", async (_what, machines, request) => {
  write(machines);
  await killedAtUnanswered(["up", environment, "--yes"], request);
  await rack.ok(["destroy", environment, "--yes"]);
  expect(azure.arm.ids()).toEqual([]);
});
