/**
 * What Azure does to a pool that bursts into it: a machine that is somebody else, one that it takes back, no capacity, quotas,
 * throttles, bad credentials, machines that come late, and ends that are lies. Each is told in words for people; no node is harmed.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import type { Client } from "../../agent/contract/client.ts";
import type { AzureCloud } from "../doubles/azure-cloud.ts";
import { waitUntil } from "../support/wait-until.ts";
import { burstTrouble, shortenTeardown } from "./support/burst-trouble.ts";
import type { CloudHost } from "./support/cloud-host.ts";
import { azureRegion, type CloudRack, cloudRack } from "./support/cloud-rack.ts";
import { nodeStates, rackClient } from "./support/rack.ts";

const environment = "rack";
const launchTimeoutMs = 60_000;
const tasks = 20;
const [cheapest, next] = ["Standard_D2as_v5", "Standard_D2s_v5"];
let rack: CloudRack;
let azure: AzureCloud<CloudHost>;
let client: Client;
const trouble = burstTrouble({ client: () => client, launchTimeoutMs });
const { cancelAll, needOne, newRows, rows, untilFailed, untilGone, untilRuns, untilSettled, untilSucceeded } = trouble;
/** What the environment itself has at Azure: its network, and the role of its bursts' machines. */
let atRest: readonly string[];

const pool = (market: "on-demand" | "spot") => ({
  provider: "azure",
  regions: [azureRegion],
  market: [market],
  types: { cpu: [2, 2], names: [cheapest, next] },
  launchTimeout: `${launchTimeoutMs}ms`,
  ...rack.access,
});

const burst = () => ({
  pools: { overflow: pool("on-demand"), spot: pool("spot") },
  rules: [{ when: { pendingFor: "1s" } }],
  maxNodes: 2,
  budget: { perHour: 1 },
  retire: { idleFor: "3s", minimumLife: "1s", drainDeadline: "10s" },
  retryAfter: "20s",
  sweep: { every: "3s", unknownAfter: "6s" },
});

beforeAll(async () => {
  rack = await cloudRack(environment, { azure: true });
  if (rack.azure === undefined) throw new Error("no Azure");
  azure = rack.azure;
  shortenTeardown(rack.checkout.directory);
  rack.write({ burst: burst() });
  await rack.ok(["up", environment, "--yes"]);
  client = rackClient(rack.checkout);
  atRest = azure.arm.ids();
});
afterAll(async () => {
  client?.dispose();
  await rack?.close();
});

/** What one test has left must not be taken for another's. */
afterEach(async () => {
  azure.faults.mend();
  if (!existsSync(join(rack.checkout.state, "context.json"))) return;
  await cancelAll();
  await untilGone();
});

/** The pool is as it was, and Azure has nothing of a burst. */
async function expectNothingLeft(): Promise<void> {
  await untilGone();
  expect(azure.arm.ids().toSorted()).toEqual([...atRest].toSorted());
  expect(await nodeStates(client)).toEqual({ own: "ready" });
  expect(await rack.ok(["fsck", environment])).toContain("Nothing is wrong.");
}

/** A burst's group would take its machine along: Azure lies about both. */
function deleteLies({ id }: { readonly id: string }): void {
  azure.faults.deleteLies(id);
  azure.faults.deleteLies(id.replace(/\/providers\/.*$/, ""));
}

it("refuses a machine that answers with another host key than it was born with, and sends it nothing", async () => {
  const before = (await rows()).length;
  // Some twenty seconds: Pulumi's double looks ten times a second at most.
  azure.faults.slowCreate(200);
  const id = await needOne(2);
  await waitUntil("a machine boots", () => azure.machines().length === 1, 60_000);
  azure.faults.mend();
  const [stranger] = azure.machines();
  if (stranger === undefined) throw new Error("no machine");
  const { host } = stranger;
  const hasBooted = async () => {
    try {
      return (await host.exec(["cloud-init", "status"])).stdout.includes("done");
    } catch {
      // It has no disk or no first process yet.
      return false;
    }
  };
  await waitUntil("cloud-init is done", hasBooted, 20_000);
  await host.read("rm /etc/ssh/ssh_host_*; ssh-keygen -q -A; systemctl restart ssh");
  // It stays for long enough to be looked at.
  deleteLies(stranger);
  const failed = await untilFailed(before, launchTimeoutMs + 30_000);
  expect(failed.failure).toMatch(/host key/);
  const log = await host.read("journalctl -u ssh --no-pager");
  expect(log).toMatch(/\[preauth\]/);
  expect(log).not.toMatch(/Accepted|authenticating user/);
  expect((await host.exec("ls -d /opt/spillway /var/lib/spillway /etc/spillway")).stdout).toBe("");
  azure.faults.mend();
  await untilSucceeded(id);
  await expectNothingLeft();
});

/** Node → how many of the job's tasks run there. */
async function whereItRuns(name: string): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const { attempts } of (await client.job(name)).indexes)
    for (const { node, state } of attempts) if (state === "running") found[node] = (found[node] ?? 0) + 1;
  return found;
}

it("runs 20 of 20 tasks elsewhere before a spot machine goes that Azure preempts in 30 s, and closes its burst", async () => {
  const seconds = 30;
  const { capacity } = await client.node("own");
  // All cores of the own host, so that what comes after it needs a machine of the cloud.
  const whole = { cpu: capacity.cpu, memory: 16 };
  await client.submitJob({ name: "filler", command: ["sleep", "3600"], resources: whole, nodePool: "rack", graceMs: 500 });
  await untilRuns("filler");
  const resources = { cpu: 50, memory: 16 };
  await client.submitJob({ name: "tasks", command: ["sleep", "3600"], count: tasks, resources, retries: 0, graceMs: 2000 });
  const carrier = async () => Object.entries(await whereItRuns("tasks")).find(([node, count]) => node.startsWith("b-") && count === tasks);
  await waitUntil("all of them run on a machine of Azure", async () => (await carrier()) !== undefined, 120_000);
  const row = (await rows()).find(({ state }) => state === "live");
  const machine = azure.machines().find(({ description }) => description.tags?.["spillway:burst"] === row?.id);
  if (row === undefined || machine === undefined) throw new Error("no burst carries it");
  expect(row.offer).toMatch(/^spot\/.*\/spot$/);
  expect(machine.description.properties?.priority).toBe("Spot");
  const [node = ""] = row.nodes;

  await client.cancelJob("filler");
  await waitUntil("the own host has room", async () => (await client.job("filler")).counts.active === 0, 10_000);
  const noticedAt = Date.now();
  azure.preemptNotice(machine.id, seconds);
  await waitUntil("all of them run on the own host", async () => (await whereItRuns("tasks")).own === tasks, seconds * 1000);
  expect(Date.now() - noticedAt).toBeLessThan(seconds * 1000);
  expect(machine.host.isOn()).toBe(true);
  const { events } = await client.events({ subject: `node/${node}` });
  expect(events.filter(({ kind }) => kind === "node-reclaimed").map(({ message }) => message)).toEqual([
    expect.stringMatching(/is taken away by its cloud at .* it gets no new task, and its 20 tasks are tried again elsewhere/),
  ]);
  for (const { attempts } of (await client.job("tasks")).indexes) {
    expect(attempts).toMatchObject([
      { node, fault: "node" },
      { node: "own", state: "running" },
    ]);
  }
  await waitUntil("its burst is gone", async () => (await client.burst(row.id)).state === "gone", 150_000);
  expect(await whereItRuns("tasks")).toEqual({ own: tasks });
  await expectNothingLeft();
});

it.each([
  ["refused", /^Azure: Status=409 Code="SkuNotAvailable" .*Standard_D2as_v5' is currently not available in location 'westeurope'/],
  ["while-allocating", /^Azure: .*Code="ZonalAllocationFailed" .*We do not have sufficient capacity for the requested VM size/],
] as const)("buys the next offer when the cheapest is out of stock (%s), and says so in words for people", async (how, words) => {
  const before = (await rows()).length;
  azure.faults.stockout(cheapest, undefined, how);
  const id = await needOne(5);
  const failed = await untilFailed(before, 60_000);
  expect(failed.offer).toContain(`/${cheapest}/on-demand`);
  expect(failed.failure).toMatch(words);
  expect(failed.failure).toContain("Another size, zone, region or market may have room");
  await untilSucceeded(id);
  const second = (await newRows(before)).find(({ offer }) => offer.includes(`/${next}/`));
  expect(second).toBeDefined();
  const { events } = await client.events({ subject: `burst/${failed.id}` });
  expect(events.find(({ kind }) => kind === "burst-failed")?.message).toContain(failed.failure);
  // It rests, and the next one was chosen beside it.
  const intent = (await client.events({ subject: `burst/${second?.id}` })).events.find(({ kind }) => kind === "burst-intent");
  const candidates = intent?.data.candidates as { readonly offer: string; readonly rejected?: string }[];
  expect(candidates.find(({ offer }) => offer === failed.offer)?.rejected).toMatch(/^it failed: .*tried again in /);
  azure.faults.mend();
  await expectNothingLeft();
});

it("tells a quota, bad credentials and a throttle in words for people, harms no node, and goes on when they are over", async () => {
  const running = await needOne(600);
  await untilRuns(running);
  await untilSettled();
  const live = (await rows()).filter(({ state }) => state === "live");
  const machines = azure.machines().map(({ vmId }) => vmId);
  const ready = { own: "ready", ...Object.fromEntries(live.flatMap(({ nodes }) => nodes.map((node) => [node, "ready"]))) };
  const faults: [() => void, RegExp][] = [
    [() => azure.faults.quota("on-demand"), /^Azure: Status=409 Code="OperationNotAllowed" .*quota.* Have the subscription's quota raised/],
    [
      () => azure.arm.refuseNext(60, 401, "InvalidAuthenticationToken", "The access token is invalid."),
      /^Azure: Status=401 Code="InvalidAuthenticationToken" .* Log in \(az login\)/,
    ],
    [() => azure.faults.throttle(100_000), /^Azure: Status=429 Code="SubscriptionRequestsThrottled" .* Azure was asked too often/],
  ];
  for (const [begin, words] of faults) {
    const before = (await rows()).length;
    begin();
    // Two cores, of which one is taken on the machine that runs: it needs another.
    const id = await needOne(2, 1500);
    expect((await untilFailed(before, 60_000)).failure).toMatch(words);
    azure.faults.mend();
    expect(azure.machines().map(({ vmId }) => vmId)).toEqual(expect.arrayContaining(machines));
    expect(await nodeStates(client)).toMatchObject(ready);
    await untilSucceeded(id);
    await untilGone(live);
  }
  expect((await client.job(running)).indexes[0]?.attempts).toMatchObject([{ state: "running" }]);
  await client.cancelJob(running);
  await expectNothingLeft();
});

it("undoes a machine that comes later than a launch may take", async () => {
  const before = (await rows()).length;
  azure.faults.slowCreate(100_000);
  const id = await needOne(2);
  const failed = await untilFailed(before, launchTimeoutMs + 30_000);
  expect(failed.failure).toMatch(/it was not launched within 60 s/);
  azure.faults.mend();
  await untilSucceeded(id);
  await expectNothingLeft();
});

it("tells a machine that Azure does not end as leaked, with its price, and ends it once Azure obeys", async () => {
  const id = await needOne(20);
  await untilRuns(id);
  await waitUntil("its burst is live", async () => (await rows()).some(({ state }) => state === "live"), 30_000);
  const row = (await rows()).find(({ state }) => state === "live");
  const machine = azure.machines().find(({ description }) => description.tags?.["spillway:burst"] === row?.id);
  if (row === undefined || machine === undefined) throw new Error("no burst");
  deleteLies(machine);
  await waitUntil("it is leaked", async () => (await client.burst(row.id)).state === "leaked", 420_000);
  expect((await client.burst(row.id)).why).toMatch(/does not say that machine .* has ended|could not be destroyed/);
  const told = await rack.spillway(["fsck", environment]);
  expect(told.code).toBe(1);
  expect(told.stdout).toContain(`${row.id} could not be destroyed and costs ${row.hourly} USD/hour`);
  azure.faults.mend();
  // The burster may have found out a moment before.
  expect(await rack.ok(["fsck", environment, "--fix"])).toMatch(/is gone after all|Nothing is wrong/);
  expect((await client.burst(row.id)).state).toBe("gone");
  await expectNothingLeft();
});

it("leaves nothing at Azure when it is destroyed, its role included", async () => {
  await rack.ok(["destroy", environment, "--yes"]);
  expect(azure.arm.ids()).toEqual([]);
});
