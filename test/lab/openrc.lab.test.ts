/** A host without systemd in the pool: OpenRC starts the agent, also after a reboot; tasks are users of their own; nothing is left. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "../../agent/contract/client.ts";
import { jobSpec } from "../../agent/contract/workload.ts";
import { type Checkout, makeCheckout } from "../support/checkout.ts";
import type { CommandOutcome } from "../support/outcome-of.ts";
import { waitUntil } from "../support/wait-until.ts";
import { allowedDifferences } from "./support/allowed-differences.ts";
import type { Container } from "./support/container.ts";
import type { HostSnapshot } from "./support/host-snapshot.ts";
import { bootLab, type Lab } from "./support/lab.ts";
import { endedJob, nodeStates, rackClient, writeRack } from "./support/rack.ts";
import { remainingDifferences } from "./support/snapshot-differences.ts";
import { taskOutputs } from "./support/task-outputs.ts";

const environment = "rack";
/** A reboot's own records: the kernel's messages and the check of the disks. */
const ofAReboot = [...allowedDifferences, /^files . \/var\/log\/(dmesg|fsck\/|boot)/];
let lab: Lab;
let checkout: Checkout;
let client: Client | undefined;
const before = new Map<Container, HostSnapshot>();

beforeAll(async () => {
  checkout = makeCheckout(environment);
  lab = await bootLab({ hosts: [{ name: "with" }, { name: "without", init: "openrc" }] });
  for (const host of lab.hosts) before.set(host, await host.snapshot());
  writeRack(checkout, [{ host: lab.host("with") }, { host: lab.host("without"), pool: "old" }], {
    heartbeat: { suspectAfter: "3s", disconnectedAfter: "5s", lostAfter: "10s" },
  });
});
afterAll(async () => {
  client?.dispose();
  await lab.close();
  checkout.remove();
});

function spillway(...words: string[]): Promise<CommandOutcome> {
  return checkout.spillway(words, { env: { SPILLWAY_ENV: environment } });
}

function master(): Client {
  client ??= rackClient(checkout);
  return client;
}

/** On the host without systemd. */
async function submit(name: string, script: string, retries = 0): Promise<void> {
  const resources = { cpu: 100, memory: 64 };
  await master().submitJob(jobSpec.parse({ name, command: ["sh", "-c", script], resources, retries, nodePool: "old" }));
}

async function outputsOf(job: string): Promise<string[]> {
  return (await taskOutputs(lab.host("without"))).filter((output) => output.job === job).map(({ stdout }) => stdout);
}

const isRunning = (job: string) => async () => (await master().job(job)).indexes[0]?.attempts.at(-1)?.state === "running";
const allReady = async () =>
  JSON.stringify(await nodeStates(master()).catch(() => ({}))) === JSON.stringify({ with: "ready", without: "ready" });

it("the doctor says what starts the services there, and what tasks lack without systemd", async () => {
  const { code, stdout, stderr } = await spillway("doctor", "without");
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toContain("OpenRC 0.45");
  expect(stdout).toContain("without systemd the kernel holds tasks to none");
});

it("takes the host into the pool, and changes nothing the second time", async () => {
  const up = await spillway("up", environment, "--yes");
  expect(up, up.stdout + up.stderr).toMatchObject({ code: 0 });
  expect(await nodeStates(master())).toEqual({ with: "ready", without: "ready" });
  const node = await master().node("without");
  expect(node.facts).toMatchObject({ executor: "process", enforced: [] });
  const again = await spillway("up", environment, "--yes");
  expect(again, again.stdout + again.stderr).toMatchObject({ code: 0 });
  expect(again.stdout + again.stderr).not.toContain("write agent.json");
});

it("runs each task as a user of its own, that can read nothing of the agent's", async () => {
  await submit(
    "who",
    `id -u; cat /var/lib/spillway/agent/key.pem /etc/spillway/agent.json; touch "$HOME/mine" && echo made; setsid sleep 600 &`,
  );
  expect(await endedJob(master(), "who", 30_000)).toMatchObject({ state: "succeeded" });
  const [user = "", ...rest] = (await outputsOf("who")).join("").trim().split("\n");
  expect(Number(user)).toBeGreaterThanOrEqual(61_184);
  expect(rest).toEqual(["made"]);
  expect(
    lab
      .host("without")
      .processes()
      .filter(({ uid }) => uid === Number(user)),
  ).toEqual([]);
});

it("keeps a task over the death of its agent and of what keeps that running", async () => {
  await submit("steady", "echo begin; sleep 8; echo end");
  await waitUntil("it runs", isRunning("steady"));
  await lab.host("without").read("for one in supervisor role; do kill -KILL $(cat /var/lib/spillway/agent/$one.pid); done");
  await lab.host("without").read("rc-service spillway-agent zap; rc-service spillway-agent start </dev/null >/dev/null 2>&1");
  const job = await endedJob(master(), "steady", 60_000);
  expect(job).toMatchObject({ state: "succeeded" });
  expect(job.indexes[0]?.attempts).toHaveLength(1);
  expect(await outputsOf("steady")).toEqual(["begin\nend\n"]);
});

it("is back by itself after a reboot: what ran is tried again, and the next job runs there", async () => {
  await submit("cut", "echo begin; sleep 5; echo end", 1);
  await waitUntil("it runs", isRunning("cut"));
  await lab.host("without").reboot();
  await waitUntil("the agent is back", allReady, 60_000);
  const cut = await endedJob(master(), "cut", 60_000);
  expect(cut).toMatchObject({ state: "succeeded" });
  expect(cut.indexes[0]?.attempts.map(({ state }) => state)).toEqual(["lost", "succeeded"]);
  await submit("next", "echo here");
  expect(await endedJob(master(), "next", 30_000)).toMatchObject({ state: "succeeded" });
  expect(await outputsOf("next")).toEqual(["here\n"]);
});

it("is destroyed with a running task, and leaves no difference: no service, no link, no log, no process", async () => {
  await submit("long", "sleep 600");
  await waitUntil("it runs", isRunning("long"));
  const destroyed = await spillway("destroy", environment, "--yes");
  expect(destroyed, destroyed.stdout + destroyed.stderr).toMatchObject({ code: 0 });
  for (const host of lab.hosts) {
    const snapshot = before.get(host) as HostSnapshot;
    expect(await remainingDifferences(host, snapshot, { allowed: ofAReboot }), `left on ${host.name}`).toEqual([]);
  }
});
