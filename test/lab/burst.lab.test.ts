/** Bursts onto spare hosts of one's own: taken over SSH while the pool is full, given back as they were, never another environment's. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "../../agent/contract/client.ts";
import type { BurstRow } from "../../agent/contract/ledger.ts";
import { burstersOf, submitOverflow, untilSucceeded } from "../support/burst-scenario.ts";
import { type Checkout, makeCheckout } from "../support/checkout.ts";
import { waitUntil } from "../support/wait-until.ts";
import { allowedDifferences } from "./support/allowed-differences.ts";
import type { Container } from "./support/container.ts";
import type { HostSnapshot } from "./support/host-snapshot.ts";
import { bootLab, type Lab } from "./support/lab.ts";
import { rackClient, writeRack } from "./support/rack.ts";
import { remainingDifferences } from "./support/snapshot-differences.ts";
import { taskOutputs } from "./support/task-outputs.ts";

const environment = "rack";
/** While the environment lives its burster asks each spare host again and again whose it is: such a login is there for seconds. */
const whileAsked = [
  ...allowedDifferences,
  /^units . unit (session-\d+\.scope|run-user-1000\.mount|user-1000\.slice|user-runtime-dir@1000\.service|user@1000\.service):/,
  /^processes . (1000 \(sd-pam\)|1000 \/lib\/systemd\/systemd --user|\S+ sshd):?/,
];
let lab: Lab;
let checkout: Checkout;
let client: Client;
let spare: readonly Container[];
const before = new Map<Container, HostSnapshot>();

beforeAll(async () => {
  checkout = makeCheckout(environment);
  lab = await bootLab({ hosts: [{}, {}, {}] });
  const [carrier, ...others] = lab.hosts;
  if (carrier === undefined) throw new Error("no host");
  spare = others;
  for (const host of lab.hosts) before.set(host, await host.snapshot());
  writeRack(checkout, [{ host: carrier }], {
    heartbeat: { suspectAfter: "3s", disconnectedAfter: "5s", lostAfter: "10s" },
    burst: {
      spare,
      shape: { cpu: 1, memory: "512Mi", price: { hourly: 0.05 } },
      rules: [{ when: { pendingFor: "1s" } }],
      maxNodes: 2,
      budget: { perHour: 0.1 },
      retire: { idleFor: "3s", minimumLife: "1s", drainDeadline: "10s" },
      sweep: { every: "2s", unknownAfter: "6s" },
    },
  });
  await ok(["up", environment, "--yes"]);
  client = rackClient(checkout);
});
afterAll(async () => {
  client?.dispose();
  await lab.close();
  checkout.remove();
});

async function ok(words: readonly string[]): Promise<string> {
  const outcome = await checkout.spillway(words);
  expect(outcome, `./spillway ${words.join(" ")}\n${outcome.stderr}`).toMatchObject({ code: 0 });
  return outcome.stdout;
}

async function rows(): Promise<readonly BurstRow[]> {
  return (await client.bursts({ all: true })).rows;
}

const untilAllGone = () => waitUntil("every burst is gone", async () => (await rows()).every(({ state }) => state === "gone"), 90_000);

async function expectSpareAsBefore(): Promise<void> {
  for (const host of spare) {
    const snapshot = before.get(host) as HostSnapshot;
    expect(await remainingDifferences(host, snapshot, { allowed: whileAsked }), `left on ${host.name}`).toEqual([]);
  }
}

it("takes spare hosts into the pool while jobs overflow it, and gives them back without a trace", async () => {
  await submitOverflow(client, "flood", { count: 6, seconds: 12 });
  await waitUntil(
    "a burst is used",
    async () => (await rows()).some(({ state, usedAt }) => state === "live" && usedAt !== undefined),
    60_000,
  );
  await untilSucceeded(client, "flood", 120_000);
  const attempts = (await client.job("flood")).indexes.flatMap((index) => index.attempts);
  expect(attempts.filter(({ node }) => node.startsWith("b-")).length).toBeGreaterThanOrEqual(1);
  await untilAllGone();
  expect((await rows()).every(({ hourly, burstPool }) => hourly === 0.05 && burstPool === "spare")).toBe(true);
  await expectSpareAsBefore();
});

it("leaves a spare host alone that another environment has, and uses the other", async () => {
  const [taken] = spare;
  if (taken === undefined) throw new Error("no host");
  const identity = JSON.stringify({ environmentId: "00000000-0000-4000-8000-000000000000", environment, machine: "theirs" });
  await taken.read(["sh", "-c", `mkdir -p /etc/spillway && printf '%s' '${identity}' > /etc/spillway/identity.json`]);
  const claimed = await taken.snapshot();
  await submitOverflow(client, "beside", { count: 3, seconds: 20 });
  await waitUntil(
    "the other host is used",
    async () => (await rows()).some(({ state, usedAt }) => state === "live" && usedAt !== undefined),
    90_000,
  );
  await untilSucceeded(client, "beside", 120_000);
  await untilAllGone();
  expect(await remainingDifferences(taken, claimed, { allowed: whileAsked })).toEqual([]);
  await taken.read(["rm", "-rf", "/etc/spillway"]);
});

it("finishes what a killed burster had begun on a host", async () => {
  await submitOverflow(client, "killed", { count: 3, seconds: 15 });
  await waitUntil("a burst is launching", async () => (await rows()).some(({ state }) => state === "launching"), 30_000);
  for (const { pid } of burstersOf(checkout)) process.kill(pid, "SIGKILL");
  await untilSucceeded(client, "killed", 120_000);
  await untilAllGone();
  await expectSpareAsBefore();
});

it("is destroyed during a live burst, and leaves no difference on any host", async () => {
  await submitOverflow(client, "last", { count: 3, seconds: 600 });
  await waitUntil(
    "a burst is used",
    async () => (await rows()).some(({ state, usedAt }) => state === "live" && usedAt !== undefined),
    60_000,
  );
  const used = (await Promise.all(spare.map(taskOutputs))).flat().filter(({ job }) => job === "last");
  expect(used.length).toBeGreaterThanOrEqual(1);
  await ok(["destroy", environment, "--yes"]);
  for (const host of lab.hosts) {
    const snapshot = before.get(host) as HostSnapshot;
    expect(await remainingDifferences(host, snapshot, { allowed: allowedDifferences }), `left on ${host.name}`).toEqual([]);
  }
});
