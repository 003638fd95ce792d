/** An upgrade of twelve real hosts in two sites under running jobs, a bad bundle, the way back: no task restarts, no other node is touched. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "../../agent/contract/client.ts";
import { unitOf } from "../../agent/contract/install-layout.ts";
import { jobSpec } from "../../agent/contract/workload.ts";
import { type AgentTree, agentOf, forgetfulAgent } from "../support/agent-tree.ts";
import { type Checkout, makeCheckout } from "../support/checkout.ts";
import { expectOk } from "../support/expect-ok.ts";
import { lastAttempts } from "../support/last-attempts.ts";
import { waitUntil } from "../support/wait-until.ts";
import { allowedDifferences } from "./support/allowed-differences.ts";
import type { Container } from "./support/container.ts";
import type { HostSnapshot } from "./support/host-snapshot.ts";
import { bootLab, type Lab } from "./support/lab.ts";
import { endedJob, rackClient, writeRack } from "./support/rack.ts";
import { remainingDifferences } from "./support/snapshot-differences.ts";

const environment = "rack";
const sites = ["berlin", "hamburg"] as const;
let lab: Lab;
let checkout: Checkout;
let former: AgentTree;
let forgetful: AgentTree;
let client: Client;
const before = new Map<Container, HostSnapshot>();

beforeAll(async () => {
  former = agentOf("v0.3");
  forgetful = forgetfulAgent();
  checkout = makeCheckout(environment);
  lab = await bootLab({ hosts: Array.from({ length: 12 }, (_unused, index) => ({ site: sites[index % 2] as string })), sites: [...sites] });
  for (const host of lab.hosts) before.set(host, await host.snapshot());
  const heartbeat = { interval: "1s", suspectAfter: "10s", disconnectedAfter: "20s", lostAfter: "2m" };
  writeRack(
    checkout,
    lab.hosts.map((host) => ({ host })),
    { heartbeat, onFailure: "continue" },
  );
  await expectOk(checkout, ["up", environment, "--yes"], former.env);
  client = rackClient(checkout);
  const long = { name: "long", command: ["sleep", "7200"], count: 24, resources: { cpu: 50, memory: 16 } };
  await client.submitJob(jobSpec.parse(long));
  await waitUntil("all run", async () => (await lastAttempts(client, "long")).every(({ state }) => state === "running"), 120_000);
});
afterAll(async () => {
  client?.dispose();
  await lab.close();
  checkout.remove();
  former.remove();
  forgetful.remove();
});

/** Digest of the bundle → how many agents run it. */
async function bundles(): Promise<Record<string, number>> {
  const all = (await client.nodes()).map(({ bundle = "none" }) => bundle);
  return Object.fromEntries([...new Set(all)].map((bundle) => [bundle, all.filter((one) => one === bundle).length]));
}

/** host → process id of its agent, by its own systemd. */
async function agents(): Promise<Record<string, string>> {
  const ids = lab.hosts.map(async (host) => {
    const id = await host.read(["systemctl", "show", "--property=MainPID", "--value", unitOf("agent")]);
    return [host.name, id.trim()] as const;
  });
  return Object.fromEntries(await Promise.all(ids));
}

/** Short jobs that are run one after the other while `act` goes on; each must succeed in its first attempt. */
async function underShortJobs(act: () => Promise<unknown>): Promise<void> {
  let ended = false;
  const submitted: string[] = [];
  const submitting = (async () => {
    while (!ended) {
      const name = `short-${Date.now()}`;
      const spec = jobSpec.parse({ name, command: ["sleep", "1"], count: 12, resources: { cpu: 50, memory: 8 } });
      const isTaken = await client.submitJob(spec).then(
        () => true,
        // The master is away for a moment.
        () => false,
      );
      if (isTaken) submitted.push(name);
      // Oftener the starts of tasks would be all that this computer does.
      await new Promise((resolve) => setTimeout(resolve, 3000));
    }
  })();
  await act().finally(() => {
    ended = true;
  });
  await submitting;
  for (const name of submitted) {
    const { state, indexes } = await endedJob(client, name, 60_000);
    expect(state, name).toBe("succeeded");
    for (const { attempts } of indexes) expect(attempts, name).toHaveLength(1);
  }
}

let formerBundle: string;
let ours: string;
let running: Awaited<ReturnType<typeof lastAttempts>>;

it("upgrades twelve hosts of the version before, and no task restarts, long or short", async () => {
  formerBundle = Object.keys(await bundles())[0] ?? "";
  running = await lastAttempts(client, "long");
  await underShortJobs(() => expectOk(checkout, ["upgrade", environment, "--yes"]));
  ours = Object.keys(await bundles())[0] ?? "";
  expect(ours).not.toBe(formerBundle);
  expect(await bundles()).toEqual({ [ours]: 12 });
  expect((await client.health()).bundle).toBe(ours);
  expect(await lastAttempts(client, "long")).toEqual(running);
});

it("restarts nothing the second time", async () => {
  const processes = await agents();
  expect((await expectOk(checkout, ["up", environment, "--yes"])).stderr).not.toMatch(/✓ (rollout|master|node)/);
  expect(await agents()).toEqual(processes);
});

it("takes back the canary of a bundle that loses its tasks, and touches none of the other eleven", async () => {
  const processes = await agents();
  const stopped = await checkout.spillway(["upgrade", environment, "--yes"], { env: forgetful.env });
  expect(stopped.code).not.toBe(0);
  expect(stopped.stderr).toMatch(/has gone back: \d+ of \d+ running tasks were not taken over/);
  expect(await bundles()).toEqual({ [ours]: 12 });
  const after = await agents();
  const restarted = Object.keys(processes).filter((name) => processes[name] !== after[name]);
  expect(restarted).toHaveLength(1);
  const touched = new Set(restarted);
  expect(await lastAttempts(client, "long")).toEqual(expect.arrayContaining(running.filter(({ node }) => !touched.has(node))));
  await waitUntil(
    "the lost tasks run again",
    async () => (await lastAttempts(client, "long")).every(({ state }) => state === "running"),
    60_000,
  );
  running = await lastAttempts(client, "long");
});

it("leaves out a host that is off, says so, and takes it along when it is back", async () => {
  const host = lab.hosts.at(-1) as Container;
  await host.powerOff({ hard: true });
  await waitUntil("it is disconnected", async () => (await client.node(host.name)).state === "disconnected", 60_000);
  const away = await checkout.spillway(["upgrade", environment, "--revert", "--yes"]);
  expect(away.stderr).toMatch(new RegExp(`${host.name}.* left out`));
  await host.powerOn();
  await waitUntil("it is back", async () => (await client.node(host.name)).state === "ready", 90_000);
  await expectOk(checkout, ["upgrade", environment, "--revert", "--yes"]);
  expect(await bundles()).toEqual({ [formerBundle]: 12 });
});

it("goes forth again when it is asked to, and leaves nothing on any host in the end", async () => {
  await expectOk(checkout, ["up", environment, "--yes"]);
  expect(await bundles()).toEqual({ [formerBundle]: 12 });
  await expectOk(checkout, ["upgrade", environment, "--yes"]);
  expect(await bundles()).toEqual({ [ours]: 12 });
  await expectOk(checkout, ["destroy", environment, "--yes"]);
  for (const host of lab.hosts) {
    const left = await remainingDifferences(host, before.get(host) as HostSnapshot, { allowed: allowedDifferences });
    expect(left, `left on ${host.name}`).toEqual([]);
  }
});
