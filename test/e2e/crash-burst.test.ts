/**
 * kill -9 in the circle of a burst (launch → live → retire): of the burster, its engine, its plugin and the master. Within
 * a bound everything is accounted for again, counted by the process list, and every job is done with one recorded success.
 */
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "../../agent/contract/client.ts";
import type { CrashPoint } from "../../agent/contract/crash-point.ts";
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
import { type Checkout, makeCheckout } from "../support/checkout.ts";
import { expectNothingLeft } from "../support/engine-scenario.ts";
import { processesOf } from "../support/leftovers.ts";
import { randomSequence } from "../support/random-sequence.ts";
import { waitUntil } from "../support/wait-until.ts";

const full = process.env.SPILLWAY_CRASH_FULL === "1";
const seed = Number(process.env.SPILLWAY_CRASH_SEED ?? 20_260_101);
const randomMoments = Number(process.env.SPILLWAY_CRASH_MOMENTS ?? (full ? 20 : 3));

/** Passed by the burster itself, or by the plugin of a burst's own engine. */
const passed: readonly CrashPoint[] = [
  "burst.launch",
  "machine.directory",
  "machine.start",
  "node.declare",
  "remote.install",
  "remote.upload",
  "remote.join",
  "remote.start",
  "burst.apply",
  "burst.launched",
  "burst.destroy",
  "node.forget",
  "machine.stop",
  "machine.delete",
  "burst.remove-stack",
  "burst.gone",
];
const selected: readonly CrashPoint[] = ["burst.launch", "machine.start", "burst.apply", "machine.delete", "burst.gone"];
const moments = full ? (["before", "after"] as const) : (["after"] as const);
const cases = (full ? passed : selected).flatMap((point) => moments.map((moment) => ({ point, moment })));

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
async function goRound(whenPending: () => Promise<void> = async () => {}): Promise<void> {
  round += 1;
  const name = `round-${round}`;
  await submitOverflow(client, name, { count: 4, seconds: 2 });
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
  await goRound();
  expect(existsSync(marker), "the point was passed").toBe(true);
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
    }).catch((error: unknown) => {
      throw new Error(`after ${victim} was killed: ${String(error)}`, { cause: error });
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
