/** The example of four hosts one owns, as its README says, on real hosts: up, jobs, a power cut, a reboot, and nothing left. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parseDocument } from "yaml";
import type { Client } from "../../agent/contract/client.ts";
import { jobSpec } from "../../agent/contract/workload.ts";
import { type Checkout, makeCheckout } from "../support/checkout.ts";
import type { CommandOutcome } from "../support/outcome-of.ts";
import { peaksOver } from "../support/task-records.ts";
import { traceFile } from "../support/trace-file.ts";
import { waitUntil } from "../support/wait-until.ts";
import { allowedDifferences } from "./support/allowed-differences.ts";
import type { Container } from "./support/container.ts";
import type { HostSnapshot } from "./support/host-snapshot.ts";
import { bootLab, type Lab } from "./support/lab.ts";
import { endedJob, nodeStates, rackClient } from "./support/rack.ts";
import { remainingDifferences } from "./support/snapshot-differences.ts";
import { taskOutputs } from "./support/task-outputs.ts";

const environment = "own-hosts";
const lostAfterMs = 10_000;
const allReady = { "berlin-1": "ready", "berlin-2": "ready", "hamburg-1": "ready", "hamburg-2": "ready" };

let lab: Lab;
let checkout: Checkout;
let client: Client | undefined;
const before = new Map<Container, HostSnapshot>();

beforeAll(async () => {
  checkout = makeCheckout(environment);
  const [berlin, hamburg] = [{ site: "berlin" }, { site: "hamburg" }];
  lab = await bootLab({ hosts: [berlin, berlin, hamburg, hamburg], sites: ["berlin", "hamburg"] });
  for (const host of lab.hosts) before.set(host, await host.snapshot());
  writeExample();
});
afterAll(async () => {
  client?.dispose();
  await lab.close();
  checkout.remove();
});

/** The example's own file with the lab's hosts in it, and timers short enough to be waited for. */
function writeExample(): void {
  const example = parseDocument(readFileSync(join(checkout.directory, "examples/own-hosts/Pulumi.own-hosts.yaml"), "utf8"));
  const settings = ["config", "spillway:environment"];
  example.setIn([...settings, "heartbeat"], { suspectAfter: "3s", disconnectedAfter: "5s", lostAfter: `${lostAfterMs}ms` });
  for (const [number, host] of lab.hosts.entries()) {
    const pool = [...settings, "pools", host.site];
    const name = `${host.site}-${(number % 2) + 1}`;
    example.setIn([...pool, "key"], lab.keyFile);
    example.setIn([...pool, "hosts", number % 2], { host: host.address, hostKey: host.hostKey, name });
  }
  writeFileSync(join(checkout.directory, "stacks/environment/Pulumi.own-hosts.yaml"), String(example));
}

/** As a person would, in the program's folder. */
async function pulumi(words: string): Promise<CommandOutcome> {
  const text = `eval "$(./spillway env ${environment} 2>/dev/null)" && cd stacks/environment && pulumi ${words} --non-interactive --color never -s ${environment}`;
  const outcome = await checkout.run("sh", ["-c", text]);
  expect(outcome, outcome.stdout + outcome.stderr).toMatchObject({ code: 0 });
  return outcome;
}

function master(): Client {
  client ??= rackClient(checkout);
  return client;
}

function hostOf(node: string): Container {
  const [site, number] = node.split("-");
  const host = lab.hosts.filter((one) => one.site === site)[Number(number) - 1];
  if (host === undefined) throw new Error(`no host is ${node}`);
  return host;
}

it("makes one pool of four hosts by plain pulumi up, and changes nothing the second time", async () => {
  const up = await pulumi("up --yes --skip-preview");
  expect(up.stdout).toMatch(/nodes +: 4/);
  expect(await nodeStates(master())).toEqual(allReady);
  expect((await master().nodes()).map(({ declaration }) => declaration.attributes.site)).toEqual([
    "berlin",
    "berlin",
    "hamburg",
    "hamburg",
  ]);
  expect((await pulumi("up --yes --skip-preview")).stdout).toMatch(/\d+ unchanged\n/);
});

it("runs 300 jobs of a trace to the end, each once by the hosts' own records, never over a node's capacity, on every node", async () => {
  const { file, jobs } = traceFile(checkout.directory);
  const submitted = await checkout.spillway(["jobs", "submit", "--trace", file], { env: { SPILLWAY_ENV: environment } });
  expect(submitted, submitted.stderr).toMatchObject({ code: 0 });
  const outputs = (await Promise.all(lab.hosts.map(taskOutputs))).flat().filter(({ job }) => /-\d{4}$/.test(job));
  expect(outputs.map(({ job }) => job).sort()).toEqual([...new Set(outputs.map(({ job }) => job))].sort());
  expect(outputs).toHaveLength(jobs);
  const records = outputs.map(({ stdout }) => ({ ...JSON.parse(stdout.trim().split("\n").at(-1) ?? ""), successes: 1 }));
  const capacity = Object.fromEntries((await master().nodes()).map((node) => [node.name, node.capacity]));
  expect(peaksOver(records, capacity)).toEqual([]);
  for (const node of Object.keys(capacity))
    expect(records.filter((record) => record.node === node).length, `jobs on ${node}`).toBeGreaterThanOrEqual(jobs / 10);
});

it("does a host's jobs elsewhere when its power goes, within the timer and 5 s, once; back again it repeats none", async () => {
  const ids = ["p1", "p2", "p3", "p4", "p5"];
  const command = ["sh", "-c", "echo begin; sleep 3; echo end"];
  for (const name of ids) await master().submitJob(jobSpec.parse({ name, command, resources: { cpu: 900, memory: 64 }, retries: 2 }));
  const placed = new Map<string, string>();
  await waitUntil("all five run", async () => {
    for (const id of ids) {
      const attempt = (await master().job(id)).indexes[0]?.attempts[0];
      if (attempt?.state === "running") placed.set(id, attempt.node);
    }
    return placed.size === ids.length;
  });
  const node = [...placed.values()].find((name) => name !== "berlin-1") ?? "";
  const victims = ids.filter((id) => placed.get(id) === node);
  const cut = Date.now();
  await hostOf(node).powerOff({ hard: true });

  for (const id of ids) {
    const job = await endedJob(master(), id, 60_000);
    expect(job).toMatchObject({ state: "succeeded" });
    const successes = job.indexes.flatMap(({ attempts }) => attempts.filter(({ state }) => state === "succeeded"));
    expect(successes).toHaveLength(1);
    if (!victims.includes(id)) continue;
    expect(successes[0]?.node).not.toBe(node);
    expect((successes[0]?.finishedAt ?? Number.POSITIVE_INFINITY) - cut, `${id} was done after its host's power went`).toBeLessThanOrEqual(
      lostAfterMs + 5000,
    );
  }
  await hostOf(node).powerOn();
  await waitUntil("all nodes are ready", async () => JSON.stringify(await nodeStates(master())) === JSON.stringify(allReady), 30_000);
  const outputs = (await Promise.all(lab.hosts.map(taskOutputs))).flat();
  for (const id of ids) {
    const ends = outputs.filter(({ job, stdout }) => job === id && stdout.includes("end"));
    expect(ends, `complete runs of ${id}`).toHaveLength(1);
    expect(outputs.filter(({ job }) => job === id).length).toBeLessThanOrEqual(victims.includes(id) ? 2 : 1);
  }
});

it("loses nothing when the master's host is rebooted", async () => {
  const ids = ["r1", "r2", "r3", "r4", "r5", "r6"];
  const command = ["sh", "-c", "echo begin; sleep 6; echo end"];
  for (const name of ids) await master().submitJob(jobSpec.parse({ name, command, resources: { cpu: 900, memory: 64 }, retries: 3 }));
  await waitUntil("all run", async () => (await Promise.all(ids.map((id) => master().job(id)))).every(({ state }) => state === "running"));
  const elsewhere = (await Promise.all(ids.map((id) => master().job(id)))).filter(
    ({ indexes }) => indexes[0]?.attempts[0]?.node !== "berlin-1",
  );
  await hostOf("berlin-1").reboot();
  await waitUntil(
    "the master knows all nodes again",
    async () => JSON.stringify(await nodeStates(master()).catch(() => ({}))) === JSON.stringify(allReady),
    60_000,
  );
  for (const id of ids) {
    const job = await endedJob(master(), id, 60_000);
    expect(job, JSON.stringify(job.indexes)).toMatchObject({ state: "succeeded" });
    expect(job.indexes.flatMap(({ attempts }) => attempts.filter(({ state }) => state === "succeeded"))).toHaveLength(1);
  }
  // What ran on other hosts went on while the master was away.
  for (const { id } of elsewhere) expect((await master().job(id)).indexes[0]?.attempts).toHaveLength(1);
  expect((await master().jobs()).filter(({ id }) => /-\d{4}$/.test(id))).toHaveLength(traceFile(checkout.directory).jobs);
});

it("is destroyed with running tasks, and leaves no difference on any host", async () => {
  await master().submitJob(jobSpec.parse({ name: "long", command: ["sleep", "600"], resources: { cpu: 500, memory: 64 }, count: 4 }));
  await waitUntil("it runs", async () => (await master().job("long")).state === "running");
  await pulumi("destroy --yes --skip-preview --remove");
  for (const host of lab.hosts) {
    const snapshot = before.get(host) as HostSnapshot;
    expect(await remainingDifferences(host, snapshot, { allowed: allowedDifferences }), `left on ${host.name}`).toEqual([]);
  }
  for (const left of ["context.json", "backend/.pulumi/stacks/spillway/own-hosts.json"])
    expect(existsSync(join(checkout.state, left)), left).toBe(false);
});
