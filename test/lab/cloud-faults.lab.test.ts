/**
 * What a cloud does to a pool that bursts into it: no capacity, quotas, throttles, bad credentials, machines that come late,
 * without a network or as somebody else, and ends that are lies. Each is told in words for people; no node is harmed.
 */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { stringify } from "yaml";
import type { Client } from "../../agent/contract/client.ts";
import { makeCheckout, readContext } from "../support/checkout.ts";
import { waitUntil } from "../support/wait-until.ts";
import { burstTrouble, shortenTeardown } from "./support/burst-trouble.ts";
import { cloudInventory, emptyInventory, tagOf } from "./support/cloud-inventory.ts";
import { type CloudRack, cloudRack, region } from "./support/cloud-rack.ts";
import { nodeStates, rackClient } from "./support/rack.ts";

const environment = "rack";
const launchTimeoutMs = 60_000;
let rack: CloudRack;
let client: Client;
const trouble = burstTrouble({ client: () => client, launchTimeoutMs });
const { cancelAll, needOne, newRows, rows, untilFailed, untilGone, untilLive, untilRuns, untilSettled, untilSucceeded } = trouble;

const burst = () => ({
  pools: {
    overflow: {
      provider: "aws",
      regions: [region],
      market: ["on-demand"],
      types: { cpu: [2, 2], names: ["m7i.large", "r7i.large"] },
      launchTimeout: `${launchTimeoutMs}ms`,
      ...rack.access,
    },
  },
  rules: [{ when: { pendingFor: "1s" } }],
  maxNodes: 2,
  budget: { perHour: 1 },
  retire: { idleFor: "3s", minimumLife: "1s", drainDeadline: "10s" },
  retryAfter: "20s",
  sweep: { every: "3s", unknownAfter: "6s" },
});

beforeAll(async () => {
  rack = await cloudRack(environment);
  shortenTeardown(rack.checkout.directory);
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
  rack.cloud.faults.mend();
  if (!existsSync(join(rack.checkout.state, "context.json"))) return;
  await cancelAll();
  await untilGone();
});

/** The pool is as it was, and the cloud has nothing of a burst. */
async function expectNothingLeft(): Promise<void> {
  await untilGone();
  expect(rack.cloud.instances()).toEqual([]);
  const { instances, disks, addresses, interfaces } = await cloudInventory(rack.cloud.url);
  expect([...instances, ...disks, ...addresses, ...interfaces]).toEqual([]);
  expect(await nodeStates(client)).toEqual({ own: "ready" });
  expect(await rack.ok(["fsck", environment])).toContain("Nothing is wrong.");
}

it("buys the next offer within seconds when the cheapest is out of stock, and says so in words for people", async () => {
  const zone = `${region}a`;
  rack.cloud.faults.stockout("m7i.large", zone);
  const id = await needOne(5);
  const failed = await untilFailed(0, 60_000);
  expect(failed.offer).toBe(`overflow/${region}/${zone}/m7i.large/on-demand`);
  expect(failed.failure).toMatch(
    /^AWS: InsufficientInstanceCapacity: We currently do not have sufficient m7i\.large capacity in the Availability Zone you requested \(us-east-1a\)\. .* AWS has none of these there right now/,
  );
  await untilLive(1);
  const [first, second] = await newRows(0);
  expect((second?.at.launching ?? Number.POSITIVE_INFINITY) - (first?.at.launching ?? 0)).toBeLessThan(25_000);
  expect(second?.offer).not.toBe(first?.offer);
  const { events } = await client.events({ subject: `burst/${failed.id}` });
  expect(events.find(({ kind }) => kind === "burst-failed")?.message).toContain(failed.failure);
  expect((await client.explain(`burst/${failed.id}`)).summary).toContain("do not have sufficient m7i.large capacity");
  // It rests, and the next one was chosen beside it.
  const intent = (await client.events({ subject: `burst/${second?.id}` })).events.find(({ kind }) => kind === "burst-intent");
  const candidates = intent?.data.candidates as { readonly offer: string; readonly rejected?: string }[];
  expect(candidates.find(({ offer }) => offer === failed.offer)?.rejected).toMatch(/^it failed: AWS: Insufficient.*; tried again in /);
  await untilSucceeded(id);
  await expectNothingLeft();
});

it("tells a quota, bad credentials and a throttle in words for people, harms no node, and goes on when they are over", async () => {
  const running = await needOne(600);
  await untilRuns(running);
  await untilSettled();
  const live = (await rows()).filter(({ state }) => state === "live");
  const ready = { own: "ready", ...Object.fromEntries(live.flatMap(({ nodes }) => nodes.map((node) => [node, "ready"]))) };
  const { faults } = rack.cloud;
  const cases: [() => void, RegExp][] = [
    [() => faults.quota("on-demand"), /^AWS: VcpuLimitExceeded: .* It is the account's limit in this region/],
    [() => faults.badCredentials(), /^AWS: AuthFailure: .* Find out who asks with `aws sts get-caller-identity`/],
    [() => faults.throttle(100_000), /^AWS: RequestLimitExceeded: .* AWS asks for patience/],
  ];
  for (const [begin, words] of cases) {
    const before = (await rows()).length;
    begin();
    // Two cores, of which one is taken on the machine that runs: it needs another.
    const id = await needOne(2, 1500);
    expect((await untilFailed(before, 60_000)).failure).toMatch(words);
    faults.mend();
    expect(await nodeStates(client)).toMatchObject(ready);
    await untilSucceeded(id);
    await untilGone(live);
  }
  expect((await client.job(running)).indexes[0]?.attempts).toMatchObject([{ state: "running" }]);
  await client.cancelJob(running);
  await expectNothingLeft();
});

it("waits for a machine that comes late, but not for longer than a launch may take", async () => {
  rack.cloud.faults.slowCreate(25_000);
  const patient = await needOne(2);
  await untilSucceeded(patient);
  await untilGone();
  const before = (await rows()).length;
  rack.cloud.faults.slowCreate(600_000);
  const id = await needOne(2);
  const failed = await untilFailed(before, launchTimeoutMs + 30_000);
  expect(failed.failure).toMatch(/it was not launched within 60 s/);
  rack.cloud.faults.mend();
  await untilSucceeded(id);
  await expectNothingLeft();
});

it("gives up a machine that boots without a network, and it goes", async () => {
  const before = (await rows()).length;
  rack.cloud.faults.bootWithoutNetwork();
  const id = await needOne(2);
  const failed = await untilFailed(before, launchTimeoutMs + 30_000);
  expect(failed.failure).toMatch(/it was not launched within 60 s|it does not answer over SSH/);
  await untilSucceeded(id);
  await expectNothingLeft();
});

it("refuses a machine that answers with another host key than it was born with, and sends it nothing", async () => {
  const before = (await rows()).length;
  rack.cloud.faults.slowCreate(25_000);
  const id = await needOne(2);
  await waitUntil("a machine boots", () => rack.cloud.instances().length === 1, 60_000);
  rack.cloud.faults.mend();
  const [stranger] = rack.cloud.instances();
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
  await waitUntil("cloud-init is done", hasBooted, 24_000);
  await host.read("rm /etc/ssh/ssh_host_*; ssh-keygen -q -A; systemctl restart ssh");
  // It stays for long enough to be looked at.
  rack.cloud.faults.deleteLies(stranger.id);
  const failed = await untilFailed(before, launchTimeoutMs + 30_000);
  expect(failed.failure).toMatch(/host key/);
  const log = await host.read("journalctl -u ssh --no-pager");
  expect(log).toMatch(/\[preauth\]/);
  expect(log).not.toMatch(/Accepted|authenticating user/);
  expect((await host.exec("ls -d /opt/spillway /var/lib/spillway /etc/spillway")).stdout).toBe("");
  rack.cloud.faults.mend();
  await untilSucceeded(id);
  await expectNothingLeft();
});

it("tells a machine that the cloud does not end as leaked, with its price, and ends it once the cloud obeys", async () => {
  const id = await needOne(20);
  await untilRuns(id);
  await waitUntil("its burst is live", async () => (await rows()).some(({ state }) => state === "live"), 30_000);
  const row = (await rows()).find(({ state }) => state === "live");
  const machine = rack.cloud.instances().find(({ description }) => tagOf(description.Tags, "spillway:burst") === row?.id);
  if (row === undefined || machine === undefined) throw new Error("no burst");
  rack.cloud.faults.deleteLies(machine.id);
  await waitUntil("it is leaked", async () => (await client.burst(row.id)).state === "leaked", 240_000);
  const leaked = await client.burst(row.id);
  expect(leaked.why).toMatch(/could not be destroyed/);
  const told = await rack.spillway(["fsck", environment]);
  expect(told.code).toBe(1);
  expect(told.stdout).toContain(`${row.id} could not be destroyed and costs ${row.hourly} USD/hour`);
  rack.cloud.faults.mend();
  // The burster may have found out a moment before.
  expect(await rack.ok(["fsck", environment, "--fix"])).toMatch(/is gone after all|Nothing is wrong/);
  expect((await client.burst(row.id)).state).toBe("gone");
  await expectNothingLeft();
});

it("never touches the machines of another environment of the same name in the same account", async () => {
  const base = { provider: "aws", region, instanceType: "m7i.large", count: 1, zones: [`${region}a`], ...rack.access };
  rack.write({ pools: { base }, burst: burst() });
  await rack.ok(["up", environment, "--yes"]);
  const other = makeCheckout(environment);
  const inOther = (words: readonly string[]) => other.spillway([...words, environment], { env: { ...rack.env } });
  try {
    const host = await rack.lab.addHost({ name: "own2" });
    const hosts = {
      provider: "ssh",
      user: "ops",
      key: rack.lab.keyFile,
      hosts: [{ host: host.address, name: "own", hostKey: host.hostKey }],
    };
    const value = { masters: { pool: "rack", endpoint: `https://${host.address}:7070` }, pools: { rack: hosts, base }, burst: burst() };
    const file = join(other.directory, "stacks/environment", `Pulumi.${environment}.yaml`);
    writeFileSync(file, stringify({ config: { "spillway:environment": value } }));
    expect(await inOther(["up", "--yes"])).toMatchObject({ code: 0 });
    const ours = idsByEnvironment();
    expect(Object.values(ours)).toEqual([1, 1].map(() => [expect.stringMatching(/^i-/)]));

    // Both search for what nobody accounts for, again and again, while one of them buys and gives back.
    await untilSucceeded(await needOne(2));
    await untilGone();
    const asked = rack.cloud.calls.filter((call) => call === "DescribeInstances").length;
    await waitUntil("both have searched", () => rack.cloud.calls.filter((call) => call === "DescribeInstances").length > asked + 8, 60_000);
    expect(idsByEnvironment()).toEqual(ours);
    for (const outcome of [await inOther(["fsck"]), await rack.spillway(["fsck", environment])])
      expect(outcome).toMatchObject({ code: 0, stdout: expect.stringContaining("Nothing is wrong.") });

    expect(await inOther(["destroy", "--yes"])).toMatchObject({ code: 0 });
    const { environmentId } = readContext(rack.checkout);
    expect(idsByEnvironment()).toEqual({ [environmentId]: ours[environmentId] });
    expect(await rack.ok(["up", environment, "--yes"])).toContain("Nothing changed.");
    expect(await nodeStates(client)).toEqual({ own: "ready", "base-1": "ready" });
  } finally {
    other.remove();
  }
  await rack.ok(["destroy", environment, "--yes"]);
  expect(await cloudInventory(rack.cloud.url)).toEqual(emptyInventory);
});

/** Ids of the cloud's machines by the environment that they are tagged with. */
function idsByEnvironment(): Record<string, string[]> {
  const found: Record<string, string[]> = {};
  for (const { id, description } of rack.cloud.instances())
    (found[tagOf(description.Tags, "spillway:environment-id") ?? "none"] ??= []).push(id);
  return found;
}
