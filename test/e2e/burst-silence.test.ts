/** Nobody is there to end what was bought: it ends itself, and nothing is ended because somebody is silent. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "../../agent/contract/client.ts";
import {
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
import { waitUntil } from "../support/wait-until.ts";

let mine: Checkout;
let theirs: Checkout;
let client: Client;
let theirClient: Client;

beforeAll(async () => {
  [mine, theirs] = [makeCheckout(), makeCheckout()];
  [client, theirClient] = await Promise.all([upWithBursts(mine, { expireAfter: "20s" }), upWithBursts(theirs, { idleFor: "10m" })]);
});
afterAll(() => {
  client?.dispose();
  theirClient?.dispose();
  mine.remove();
  theirs.remove();
});

async function untilUsed(of: Client): Promise<void> {
  const isUsed = async () => (await of.bursts()).rows.some(({ state, usedAt }) => state === "live" && usedAt !== undefined);
  await waitUntil("a burst is used", isUsed, 40_000);
}

it("gives two environments of one name machines of their own", async () => {
  await Promise.all([
    submitOverflow(client, "work", { count: 3, seconds: 40 }),
    submitOverflow(theirClient, "work", { count: 2, seconds: 600 }),
  ]);
  await Promise.all([untilUsed(client), untilUsed(theirClient)]);
  const nodes = (await Promise.all([client.nodes(), theirClient.nodes()])).map((all) =>
    all.map(({ name }) => name).filter((name) => name !== "m-1"),
  );
  expect(nodes.map((names) => names.length > 0)).toEqual([true, true]);
  expect([burstMachinesRunning(mine), burstMachinesRunning(theirs)].map((names) => names.length > 0)).toEqual([true, true]);
});

it("ends nothing because the master is silent, whoever asks", async () => {
  // A machine whose agent is not there yet has nobody who could end it; that a launch is cut is another test's matter.
  await untilAccounted(mine, client);
  for (const found of [...supervisorsOf(mine), ...mastersOf(mine), ...burstersOf(mine)]) process.kill(found.pid, "SIGKILL");
  const before = burstMachinesRunning(mine);
  expect(before).not.toEqual([]);
  const fixed = await mine.spillway(["fsck", "local", "--fix"]);
  expect(fixed.code).toBe(1);
  expect(fixed.stdout).toMatch(/could not be read/);
  expect(fixed.stdout).toMatch(/--forget local/);
  expect(burstMachinesRunning(mine)).toEqual(before);
});

it("lets machines that hear of no master end themselves", async () => {
  await waitUntil("they have ended themselves", () => burstMachinesRunning(mine).length === 0, 60_000);
  expect(burstMachinesRunning(theirs)).not.toEqual([]);
});

it("is mended by the next up: what ended itself is noticed, its work is done, and nothing is half-way", async () => {
  expect(await mine.spillway(["up", "local"])).toMatchObject({ code: 0 });
  await untilSucceeded(client, "work", 180_000);
  await untilAccounted(mine, client);
  expect((await client.bursts({ all: true })).rows.some(({ state }) => state === "gone")).toBe(true);
});

it("takes one environment down and leaves the other of that name as it is", async () => {
  const before = burstMachinesRunning(theirs);
  expect(await mine.spillway(["destroy", "local", "--yes"])).toMatchObject({ code: 0 });
  await expectNothingLeft(mine);
  expect(burstMachinesRunning(theirs)).toEqual(before);
  expect((await theirClient.job("work")).state).toBe("running");
});

it("keeps the token out of the bursts' own state, and leaves nothing of them when it goes", async () => {
  const { token } = JSON.parse(readFileSync(join(theirs.state, "context.json"), "utf8")) as { token: string };
  const grep = await theirs.run("grep", ["-rlF", token, join(theirs.state, "bursts", "backend"), join(theirs.state, "logs")]);
  expect(grep.stdout).toBe("");
  expect(await theirs.spillway(["destroy", "local", "--yes"])).toMatchObject({ code: 0 });
  await expectNothingLeft(theirs);
});

function supervisorsOf(checkout: Checkout) {
  const places = [join(checkout.state, "machines", "m-1"), join(checkout.state, "bursts")];
  return places.flatMap(processesOf).filter(({ command }) => command.includes("supervise.sh") && !command.includes("agent.js agent"));
}
