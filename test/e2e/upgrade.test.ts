/** Another version under running jobs: forth and back in batches, stopped by a bad bundle, killed in the middle; no task restarts. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Client, createClient } from "../../agent/contract/client.ts";
import { type AgentTree, agentOf, forgetfulAgent } from "../support/agent-tree.ts";
import { type Checkout, makeCheckout, readContext } from "../support/checkout.ts";
import { expectOk } from "../support/expect-ok.ts";
import { lastAttempts } from "../support/last-attempts.ts";
import { processesOf } from "../support/leftovers.ts";
import type { CommandOutcome } from "../support/outcome-of.ts";
import { waitUntil } from "../support/wait-until.ts";

const nodes = ["m-1", "m-2", "m-3"];
let checkout: Checkout;
let former: AgentTree;
let forgetful: AgentTree;
let client: Client;

/** Writes the settings with one more node in a pool of its own, or without it; Pulumi keeps its salt in the same file. */
function writeSettings({ late = false } = {}): void {
  const heartbeat = "{ interval: 500ms, suspectAfter: 4s, disconnectedAfter: 8s, lostAfter: 30s }";
  const upgrade = "{ canary: 1, batch: 2, healthTimeout: 30s }";
  const pools = `{ m: { provider: local, count: ${nodes.length} }${late ? ", late: { provider: local, count: 1 }" : ""} }`;
  const file = join(checkout.directory, "stacks/environment/Pulumi.local.yaml");
  const salt = existsSync(file) ? (/^encryptionsalt:.*$/m.exec(readFileSync(file, "utf8"))?.[0] ?? "") : "";
  writeFileSync(
    file,
    `config:\n  spillway:environment:\n    masters: { pool: m }\n    pools: ${pools}\n    heartbeat: ${heartbeat}\n    upgrade: ${upgrade}\n${salt}\n`,
  );
}

beforeAll(async () => {
  former = agentOf("v0.3");
  forgetful = forgetfulAgent();
  checkout = makeCheckout();
  writeSettings();
  await expectOk(checkout, ["up", "local"], former.env);
  const { url, ca, token } = readContext(checkout);
  client = createClient({ url, ca, token });
  await client.submitJob({ name: "long", command: ["sleep", "3600"], count: 6, resources: { cpu: 100, memory: 16 } });
  await waitUntil("all run", async () => (await lastAttempts(client, "long")).every(({ state }) => state === "running"), 30_000);
});
afterAll(() => {
  client?.dispose();
  checkout.remove();
  former.remove();
  forgetful.remove();
});

/** node → digest of the bundle that its agent runs. */
async function bundles(): Promise<Record<string, string | undefined>> {
  return Object.fromEntries((await client.nodes()).map(({ name, bundle }) => [name, bundle]));
}

/** node → when its agent has connected. */
async function connectedSince(): Promise<Record<string, number | undefined>> {
  return Object.fromEntries((await client.nodes()).map(({ name, agentSince }) => [name, agentSince]));
}

function everywhere(bundle: string | undefined): Record<string, string | undefined> {
  return Object.fromEntries(nodes.map((name) => [name, bundle]));
}

/** ms of the longest time in which the master did not answer while `act` went on. */
async function longestSilence(act: () => Promise<unknown>): Promise<number> {
  let [ended, heard, longest] = [false, Date.now(), 0];
  const watching = (async () => {
    while (!ended) {
      const answers = await client.health().then(
        () => true,
        () => false,
      );
      longest = Math.max(longest, Date.now() - heard);
      if (answers) heard = Date.now();
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  await act().finally(() => {
    ended = true;
  });
  await watching;
  return longest;
}

/** Short jobs that are run one after the other while `act` goes on; each must succeed in its first attempt. */
async function underShortJobs<T>(act: () => Promise<T>): Promise<T> {
  let ended = false;
  const submitted: string[] = [];
  const submitting = (async () => {
    while (!ended) {
      const name = `short-${Date.now()}`;
      const job = { name, command: ["sh", "-c", "sleep 0.3"], resources: { cpu: 50, memory: 8 } };
      const isTaken = await client.submitJob(job).then(
        () => true,
        // The master is away for a moment.
        () => false,
      );
      if (isTaken) submitted.push(name);
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
  })();
  const result = await act().finally(() => {
    ended = true;
  });
  await submitting;
  for (const name of submitted) {
    await waitUntil(`${name} is done`, async () => (await client.job(name)).state === "succeeded", 30_000);
    expect((await client.job(name)).indexes[0]?.attempts, name).toHaveLength(1);
  }
  return result;
}

let formerBundle: string | undefined;
let ours: string | undefined;
let before: Awaited<ReturnType<typeof lastAttempts>>;

it("upgrades master and nodes of the version before, and no task restarts", async () => {
  formerBundle = (await bundles())["m-1"];
  expect(await bundles()).toEqual(everywhere(formerBundle));
  before = await lastAttempts(client, "long");
  let outcome: CommandOutcome | undefined;
  const silenceMs = await longestSilence(async () => {
    outcome = await underShortJobs(() => expectOk(checkout, ["upgrade", "local", "--yes"]));
  });
  ours = (await bundles())["m-1"];
  expect(ours).not.toBe(formerBundle);
  expect(await bundles()).toEqual(everywhere(ours));
  expect((await client.health()).bundle).toBe(ours);
  expect(await lastAttempts(client, "long")).toEqual(before);
  expect(silenceMs).toBeLessThan(10_000);
  expect(outcome?.stderr).toMatch(/✓ master .*✓ node m-1 .*✓ node m-[23]/s);
  expect(outcome?.stdout).toMatch(/the master and 3 nodes[\s\S]*upgrade local --revert/);
});

it("has nothing to do the second time, and asks no machine", async () => {
  const since = await connectedSince();
  expect((await expectOk(checkout, ["up", "local"])).stderr).not.toMatch(/✓ (rollout|master|node)/);
  expect(await connectedSince()).toEqual(since);
});

it("goes back, and leaves that version alone until it is asked for again", async () => {
  await underShortJobs(() => expectOk(checkout, ["upgrade", "local", "--revert", "--yes"]));
  expect(await bundles()).toEqual(everywhere(formerBundle));
  expect((await client.health()).bundle).toBeUndefined();
  const { stderr } = await expectOk(checkout, ["up", "local"]);
  expect(stderr).toMatch(/held back since the revert of .*the master and 3 .*\.\/spillway upgrade local lifts it/);
  expect(stderr).not.toMatch(/✓ (rollout|master|node)/);
  expect(await bundles()).toEqual(everywhere(formerBundle));
  expect(await lastAttempts(client, "long")).toEqual(before);
  await expectOk(checkout, ["upgrade", "local", "--yes"]);
  expect(await bundles()).toEqual(everywhere(ours));
  expect(await lastAttempts(client, "long")).toEqual(before);
});

it.each(["rollout.flip:after", "remote.stop:after", "rollout.revert:before"])("killed at %s it goes on where it was", async (point) => {
  const marker = join(checkout.directory, ".spillway", `crashed-${point}`);
  const env = { SPILLWAY_CRASH_AT: point, SPILLWAY_CRASH_MARKER: marker };
  const words = point.startsWith("rollout.revert") ? ["upgrade", "local", "--revert", "--yes"] : ["upgrade", "local", "--yes"];
  const tree = point === "rollout.flip:after" ? former.env : {};
  const killed = await checkout.spillway(words, { env: { ...env, ...tree } });
  expect(killed.code).not.toBe(0);
  await expectOk(checkout, words, tree);
  const wanted = point === "remote.stop:after" ? ours : formerBundle;
  expect(await bundles()).toEqual(everywhere(wanted));
  expect(await lastAttempts(client, "long")).toEqual(before);
});

it("takes a new node into a pool whose master is one of the version before, and runs jobs there", async () => {
  writeSettings({ late: true });
  await expectOk(checkout, ["up", "local"]);
  expect(await bundles()).toEqual({ ...everywhere(formerBundle), "late-1": ours });
  expect((await client.health()).bundle).toBeUndefined();
  const ran = await checkout.spillway(["run", "--node-pool", "late", "--", "sh", "-c", "echo $SPILLWAY_NODE"]);
  expect(ran).toMatchObject({ code: 0, stdout: "late-1\n" });
  writeSettings();
  await expectOk(checkout, ["up", "local"]);
  expect(await bundles()).toEqual(everywhere(formerBundle));
});

it("takes back the canary of a bundle that loses its tasks, and touches no other node", async () => {
  const processes = agentProcesses();
  const stopped = await checkout.spillway(["upgrade", "local", "--yes"], { env: forgetful.env });
  expect(stopped.code).not.toBe(0);
  expect(stopped.stderr).toMatch(/the master and 0 of 3 nodes were moved, and no other was touched/);
  expect(stopped.stderr).toMatch(/node m-1 has gone back: \d of \d running tasks were not taken over/);
  expect(await bundles()).toEqual(everywhere(formerBundle));
  const elsewhere = before.filter(({ node }) => node !== "m-1");
  expect(await lastAttempts(client, "long")).toEqual(expect.arrayContaining(elsewhere));
  const after = agentProcesses();
  for (const name of ["m-2", "m-3"]) expect(after[name], `agent processes of ${name}`).toEqual(processes[name]);
  expect(after["m-1"]).not.toEqual(processes["m-1"]);

  // The next version, in which that is mended: all is well again.
  await waitUntil(
    "the lost tasks run again",
    async () => (await lastAttempts(client, "long")).every(({ state }) => state === "running"),
    30_000,
  );
  const now = await lastAttempts(client, "long");
  await expectOk(checkout, ["upgrade", "local", "--yes"]);
  expect(await bundles()).toEqual(everywhere(ours));
  expect((await client.health()).bundle).toBe(ours);
  expect(await lastAttempts(client, "long")).toEqual(now);
});

/** node → the process ids of its agent. */
function agentProcesses(): Record<string, number[]> {
  const found = nodes.map((name) => {
    const running = processesOf(join(checkout.state, "machines", name)).filter(({ command }) => command.includes("agent.js agent"));
    return [name, running.map(({ pid }) => pid).toSorted((a, b) => a - b)] as const;
  });
  return Object.fromEntries(found);
}
