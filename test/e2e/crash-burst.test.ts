/**
 * kill -9 in the circle of a burst (launch → live → retire): of the burster, its engine, its plugin and the master. Within
 * a bound everything is accounted for again, counted by the process list, and every job is done with one recorded success.
 */
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "../../agent/contract/client.ts";
import type { CrashPoint } from "../../agent/contract/crash-point.ts";
import type { BurstRow } from "../../agent/contract/ledger.ts";
import { createLocalMachine } from "../../providers/local/pool.ts";
import { readBursterConfig } from "../../stacks/burst/config.ts";
import { startBurster, stopBurster } from "../../stacks/burst/unit.ts";
import {
  accountedWithinMs,
  burstersOf,
  burstMachinesRunning,
  mastersOf,
  submitOverflow,
  untilAccounted,
  untilSucceeded,
  upWithBursts,
} from "../support/burst-scenario.ts";
import { type Checkout, makeCheckout, readContext } from "../support/checkout.ts";
import { circlePoints } from "../support/crash-suites.ts";
import { expectNothingLeft } from "../support/engine-scenario.ts";
import { processesOf } from "../support/leftovers.ts";
import { randomSequence } from "../support/random-sequence.ts";
import { waitUntil } from "../support/wait-until.ts";

const full = process.env.SPILLWAY_CRASH_FULL === "1";
const seed = Number(process.env.SPILLWAY_CRASH_SEED ?? 20_260_101);
const randomMoments = Number(process.env.SPILLWAY_CRASH_MOMENTS ?? (full ? 20 : 2));

const selected: readonly CrashPoint[] = ["burst.launch", "machine.start", "burst.apply", "machine.delete", "burst.gone"];
const moments = full ? (["before", "after"] as const) : (["after"] as const);
const cases = (full ? circlePoints : selected).flatMap((point) => moments.map((moment) => ({ point, moment })));

let checkout: Checkout;
let client: Client;
let round = 0;

beforeAll(async () => {
  checkout = makeCheckout();
  client = await upWithBursts(checkout, { perBurst: 2 });
});
afterAll(() => {
  client?.dispose();
  checkout.remove();
});

/** The burster anew, with these variables beside its own. */
async function restartBurster(variables: Record<string, string>): Promise<void> {
  const directory = join(checkout.state, "bursts");
  await stopBurster(directory);
  const config = readBursterConfig(directory);
  if (config === undefined) throw new Error("no burster was set up");
  await startBurster({ ...config, variables: { ...config.variables, ...variables } });
}

/** One circle: jobs overflow the pool, are done, and every burst is gone again. */
async function goRound(whenPending: () => Promise<void> = async () => {}, seconds = 3): Promise<void> {
  round += 1;
  const name = `round-${round}`;
  await submitOverflow(client, name, { count: 4, seconds });
  await whenPending();
  await untilSucceeded(client, name, accountedWithinMs);
  await waitUntil(
    "every burst is gone",
    async () => (await client.bursts({ all: true }).catch(() => undefined))?.rows.every(({ state }) => state === "gone") === true,
    accountedWithinMs,
  );
  await untilAccounted(checkout, client);
  expect(burstMachinesRunning(checkout)).toEqual([]);
}

it.each(cases)("$point:$moment: a burst of two machines is finished or undone, and nothing is left of it", async ({ point, moment }) => {
  const marker = join(checkout.directory, ".spillway", "crashed");
  rmSync(marker, { force: true });
  await restartBurster({ SPILLWAY_CRASH_AT: `${point}:${moment}`, SPILLWAY_CRASH_MARKER: marker });
  // On a busy computer a launch may run out of its time before it comes to the point.
  for (let time = 0; time < 3 && !existsSync(marker); time += 1) await goRound();
  expect(existsSync(marker), "the point was passed").toBe(true);
});

it.each(moments)("burst.sweep:%s: a search for orphans that is killed is done by the next one", async (moment) => {
  const marker = join(checkout.directory, ".spillway", "crashed");
  rmSync(marker, { force: true });
  const directory = join(checkout.state, "machines", "b-orphan-1");
  const { environmentId } = readContext(checkout);
  const capacity = { cpu: 100, memory: 64, disk: 0, gpus: [] };
  // The burster would end it too, after a while.
  await stopBurster(join(checkout.state, "bursts"));
  await createLocalMachine({
    environmentId,
    name: "b-orphan-1",
    pool: "overflow",
    burst: "b-orphan",
    directory,
    capacity,
    labels: {},
    nodeBinary: undefined,
  });
  const crashing = { SPILLWAY_CRASH_AT: `burst.sweep:${moment}`, SPILLWAY_CRASH_MARKER: marker };
  expect((await checkout.spillway(["fsck", "local", "--fix"], { env: crashing })).code).not.toBe(0);
  expect(existsSync(marker), "the point was passed").toBe(true);
  expect(await checkout.spillway(["fsck", "local", "--fix"])).toMatchObject({ code: 0 });
  expect(burstMachinesRunning(checkout)).toEqual([]);
  expect(existsSync(directory)).toBe(false);
});

it("a burst's machine that loses its power is noticed, and its work is done all the same", async () => {
  await restartBurster({});
  await goRound(async () => {
    const isLive = async () => (await client.bursts()).rows.find(({ state, usedAt }) => state === "live" && usedAt !== undefined);
    let node: string | undefined;
    await waitUntil("a burst is used", async () => (node = (await isLive())?.nodes[0]) !== undefined, 40_000);
    for (const { pid } of processesOf(join(checkout.state, "machines", node ?? "none"))) killQuietly(pid);
  }, 20);
});

it.each(moments)("store.commit.burst:%s: a master that dies while it writes its ledger loses nothing of it", async (moment) => {
  const other = makeCheckout();
  try {
    const marker = join(other.directory, ".spillway", "crashed");
    const env = { SPILLWAY_CRASH_AT: `store.commit.burst:${moment}`, SPILLWAY_CRASH_MARKER: marker };
    const here = await upWithBursts(other, { perBurst: 2 }, env);
    await submitOverflow(here, "round", { count: 4, seconds: 2 });
    await untilSucceeded(here, "round", accountedWithinMs);
    expect(existsSync(marker), "the point was passed").toBe(true);
    await untilAccounted(other, here);
    here.dispose();
    expect(await other.spillway(["destroy", "local", "--yes"])).toMatchObject({ code: 0 });
    rmSync(marker);
    await expectNothingLeft(other);
  } finally {
    other.remove();
  }
});

it("a burst's stack that a power cut left empty is given up, and its machines are ended all the same", async () => {
  await restartBurster({});
  await goRound(async () => {
    let row: BurstRow | undefined;
    await waitUntil(
      "a burst lives",
      async () => (row = (await client.bursts()).rows.find(({ state }) => state === "live")) !== undefined,
      40_000,
    );
    writeFileSync(join(checkout.state, "bursts/backend/.pulumi/stacks/spillway-bursts", `burst-${row?.id}.json`), "");
  }, 10);
});

it("a master that is killed again and again while it writes its ledger loses no burst", async () => {
  await restartBurster({});
  await goRound(async () => {
    for (let time = 0; time < 5; time += 1) {
      await delay(700);
      for (const { pid } of mastersOf(checkout)) killQuietly(pid);
    }
  });
});

it.each(Array.from({ length: randomMoments }, (_unused, index) => index))(
  `random moment %i (seed ${seed}): one process of the circle is killed`,
  async (index) => {
    await restartBurster({});
    const random = randomSequence(seed + index);
    let victim: string | undefined;
    await goRound(async () => {
      await delay(random() * 14_000);
      const victims = circleOf();
      const chosen = victims[Math.floor(random() * victims.length)];
      if (chosen === undefined) return;
      victim = chosen.command;
      killQuietly(chosen.pid);
    }).catch(async (error: unknown) => {
      throw new Error(`after ${victim} was killed: ${String(error)}\n${await present()}`, { cause: error });
    });
  },
);

it("is destroyed while a burst is being launched, though burster and engine are killed meanwhile", async () => {
  await restartBurster({});
  await submitOverflow(client, "last", { count: 6, seconds: 300 });
  await waitUntil("a burst is launching", async () => (await client.bursts()).rows.some(({ state }) => state === "launching"), 20_000);
  const destroying = checkout.start(["destroy", "local", "--yes"]);
  await delay(1500);
  for (const { pid } of burstersOf(checkout)) killQuietly(pid);
  await Promise.race([destroying.outcome, delay(120_000)]);
  const outcome = await destroying.outcome;
  if (outcome.code !== 0) expect(await checkout.spillway(["destroy", "local", "--yes"])).toMatchObject({ code: 0 });
  rmSync(join(checkout.directory, ".spillway", "crashed"), { force: true });
  await expectNothingLeft(checkout);
});

/** For whoever reads of a failure: the rows that are not gone, and the burster's last words. */
async function present(): Promise<string> {
  const view = await client.bursts().catch(String);
  const rows = typeof view === "string" ? view : view.rows.map(({ id, state, why }) => `${id} is ${state}: ${why}`).join("\n");
  const log = readFileSync(join(checkout.state, "logs", "burster.log"), "utf8")
    .trimEnd()
    .split("\n")
    .slice(-20)
    .join("\n");
  return `${rows}\n${log}`;
}

/** Burster, engines, plugins and masters; not the machines, whose death is another story. */
function circleOf() {
  const engines = processesOf(join(checkout.state, "bursts"));
  return [...engines.filter(({ command }) => !command.includes("supervise.sh")), ...mastersOf(checkout)];
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}
