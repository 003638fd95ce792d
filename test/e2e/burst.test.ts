/** The whole circle as a person sees it: the pool overflows, machines are bought, work is done, they go, nothing is left. */
import { readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "../../agent/contract/client.ts";
import type { BurstRow } from "../../agent/contract/ledger.ts";
import { createLocalMachine, localProvider } from "../../providers/local/pool.ts";
import {
  accountedWithinMs,
  burstersOf,
  burstMachinesRunning,
  mastersOf,
  submitOverflow,
  unknownAfterMs,
  untilAccounted,
  untilSucceeded,
  upWithBursts,
} from "../support/burst-scenario.ts";
import { type Checkout, makeCheckout, readContext } from "../support/checkout.ts";
import { expectNothingLeft } from "../support/engine-scenario.ts";
import { waitUntil } from "../support/wait-until.ts";

let checkout: Checkout;
let client: Client;

beforeAll(async () => {
  checkout = makeCheckout();
  client = await upWithBursts(checkout);
});
afterAll(() => {
  client?.dispose();
  checkout.remove();
});

async function ok(words: readonly string[]): Promise<string> {
  const outcome = await checkout.spillway(words);
  expect(outcome, `./spillway ${words.join(" ")}\n${outcome.stdout}${outcome.stderr}`).toMatchObject({ code: 0 });
  return outcome.stdout;
}

async function allRows(): Promise<readonly BurstRow[]> {
  return (await client.bursts({ all: true })).rows;
}

async function untilRow(what: string, holds: (row: BurstRow) => boolean, timeoutMs = 30_000): Promise<BurstRow> {
  let found: BurstRow | undefined;
  await waitUntil(what, async () => (found = (await allRows()).find(holds)) !== undefined, timeoutMs);
  if (found === undefined) throw new Error("no row");
  return found;
}

it("previews what bursts may cost at most, and changes nothing when it is run again", async () => {
  expect(await ok(["preview", "local"])).toMatch(/bursts may add up to 4 .*\$0\.40\/hour/);
  expect(await ok(["up", "local"])).toMatch(/Nothing changed\./);
});

it("buys machines for 12 jobs that overflow the pool, runs them, and gives every machine back", async () => {
  await submitOverflow(client, "flood", { count: 12, seconds: 3 });
  const burst = await untilRow("a burst is live", ({ state }) => state === "live");
  expect(burst).toMatchObject({ burstPool: "overflow", hourly: 0.1, for: [{ job: "flood" }] });
  expect(burst.reason).not.toBe("");
  await untilSucceeded(client, "flood", 90_000);
  const nodes = new Set((await client.job("flood")).indexes.flatMap(({ attempts }) => attempts.map(({ node }) => node)));
  expect([...nodes].filter((node) => node.startsWith("b-")).length).toBeGreaterThanOrEqual(2);
  await waitUntil("every burst is gone", async () => (await allRows()).every(({ state }) => state === "gone"), 60_000);
  expect(burstMachinesRunning(checkout)).toEqual([]);
  expect((await client.nodes()).map(({ name }) => name)).toEqual(["m-1"]);
  const launched = (await allRows()).filter(({ at }) => at.live !== undefined);
  expect(launched.length).toBeGreaterThanOrEqual(2);
  for (const { seconds, at } of launched) {
    expect(seconds.create?.actual).toBeGreaterThan(0);
    expect(seconds.join?.actual).toBeGreaterThan(0);
    expect((at.gone ?? 0) - (at.launching ?? 0)).toBeGreaterThan(0);
  }
});

it("tells what each burst cost and why it was bought", async () => {
  const listed = await ok(["burst", "list", "--all"]);
  const [first] = await allRows();
  if (first === undefined) throw new Error("no burst");
  expect(listed).toContain(first.id);
  expect(listed).toMatch(/\$0\.0\d+/);
  expect(await ok(["explain", first.id])).toMatch(/flood/);
  expect(await ok(["cost"])).toMatch(/pretend/);
});

it("stops buying at once when it is paused, and says what still runs and what it costs", async () => {
  await submitOverflow(client, "before", { count: 2, seconds: 20 });
  await untilRow("a burst is live", ({ state }) => state === "live");
  const paused = await ok(["burst", "pause", "--reason", "the month is dear"]);
  expect(paused).toMatch(/\$0\.10\/h/);
  const known = (await allRows()).length;
  await submitOverflow(client, "while", { count: 2, seconds: 1 });
  await waitUntil("the plan says why", async () => /paused/.test(JSON.stringify(await client.explain("job/while"))), 15_000);
  expect(await allRows()).toHaveLength(known);
  await client.cancelJob("before");
  await ok(["burst", "resume"]);
  await untilSucceeded(client, "while", 60_000);
});

it("keeps a burst at work when whatever started the environment is gone", async () => {
  const [burster] = burstersOf(checkout);
  expect(burster, "the burster runs").toBeDefined();
  process.kill(burster?.pid ?? 0, "SIGHUP");
  process.kill(burster?.pid ?? 0, "SIGKILL");
  await submitOverflow(client, "again", { count: 4, seconds: 2 });
  await untilSucceeded(client, "again", 60_000);
  await untilAccounted(checkout, client);
});

it("never touches a machine that bears another environment's tag, whatever its name", async () => {
  const directory = join(checkout.state, "machines", "b-foreign-1");
  const capacity = { cpu: 100, memory: 64, disk: 0, gpus: [] };
  const spec = {
    environmentId: "00000000-0000-4000-8000-000000000000",
    name: "b-foreign-1",
    pool: "overflow",
    directory,
    capacity,
    labels: {},
  };
  const foreign = await createLocalMachine({ ...spec, burst: "b-foreign", nodeBinary: undefined });
  const seen = Date.now();
  await waitUntil("several sweeps are over", () => Date.now() - seen > unknownAfterMs + 3000, 2 * unknownAfterMs + 6000);
  await ok(["fsck", "local", "--fix"]);
  expect(burstMachinesRunning(checkout)).toContain("b-foreign-1");
  await localProvider.delete(foreign);
});

it("finds what its lost ledger knew, reports it, and ends it only when asked to", async () => {
  await submitOverflow(client, "long", { count: 2, seconds: 120 });
  await untilRow("a burst is used", ({ state, usedAt }) => state === "live" && usedAt !== undefined);
  const before = burstMachinesRunning(checkout);
  deleteMastersDisk();
  await waitUntil("the master is back with nothing", async () => (await client.bursts().catch(() => undefined))?.rows.length === 0, 30_000);
  await waitUntil(
    "the burster has told it",
    async () => (await client.events({ limit: 500 })).events.some(({ kind }) => kind === "burst-unknown"),
    30_000,
  );
  const since = Date.now();
  await waitUntil("the unknown window is over", () => Date.now() - since > unknownAfterMs + 2000, accountedWithinMs);
  expect(burstMachinesRunning(checkout)).toEqual(before);
  const found = await checkout.spillway(["fsck", "local"]);
  expect(found.code).toBe(1);
  for (const node of before) expect(found.stdout).toContain(node);
  expect(burstMachinesRunning(checkout)).toEqual(before);
  await ok(["fsck", "local", "--fix"]);
  expect(burstMachinesRunning(checkout)).toEqual([]);
  expect(await ok(["fsck", "local"])).toMatch(/nothing/i);
});

it("is taken down during a live burst and leaves nothing", async () => {
  const up = await ok(["up", "local"]);
  expect(up).toMatch(/1 node ·/);
  await submitOverflow(client, "last", { count: 4, seconds: 300 });
  await untilRow("a burst is used", ({ state, usedAt }) => state === "live" && usedAt !== undefined);
  await ok(["destroy", "local", "--yes"]);
  await expectNothingLeft(checkout);
});

/** As if the disk under it had been lost: its state is deleted and its process killed; the supervisor starts it anew. */
function deleteMastersDisk(): void {
  const root = join(checkout.state, "machines", "m-1", "root", "var", "lib", "spillway", "master");
  const masters = mastersOf(checkout);
  expect(masters).not.toEqual([]);
  for (const name of readdirSync(root)) if (/\.db(-wal|-shm)?$/.test(name)) rmSync(join(root, name), { force: true });
  for (const { pid } of masters) process.kill(pid, "SIGKILL");
  expect(readContext(checkout).url).toMatch(/^https/);
}
