/** The main job, as a newcomer does it: up, run, a real day of jobs, mend, destroy; nothing is left. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Checkout, makeCheckout } from "../support/checkout.ts";
import { expectOk } from "../support/expect-ok.ts";
import { processesOf } from "../support/leftovers.ts";
import { processAlive } from "../support/process-alive.ts";
import { peaksOver, recordsOf, type TaskRecord } from "../support/task-records.ts";
import { traceFile } from "../support/trace-file.ts";
import { waitUntil } from "../support/wait-until.ts";

let checkout: Checkout;

beforeAll(() => {
  checkout = makeCheckout();
});
afterAll(() => {
  checkout.remove();
});

function pidsThere(): number[] {
  return processesOf(checkout.state)
    .map((found) => found.pid)
    .sort((a, b) => a - b);
}

async function nodeStates(): Promise<Record<string, string>> {
  const { stdout } = await expectOk(checkout, ["nodes", "list", "--output", "json"]);
  const { nodes } = JSON.parse(stdout) as { nodes: { name: string; state: string }[] };
  return Object.fromEntries(nodes.map((node) => [node.name, node.state]));
}

it("makes a pool of three nodes by one command and says what to try next", async () => {
  const { stdout } = await expectOk(checkout, ["up", "local"]);
  expect(stdout).toMatch(/One pool: 3 nodes · 5\.5 cpu · 11\.5 GiB · \$0\.00\/hour/);
  expect(stdout).toMatch(/https:\/\/127\.0\.0\.1:\d+/);
  expect(stdout.match(/\.\/spillway (run|pool|jobs)/g)).toHaveLength(3);
  expect(await nodeStates()).toEqual({ "m-1": "ready", "m-2": "ready", "m-3": "ready" });
});

it("changes nothing when it is run again: the same processes, no act", async () => {
  const before = pidsThere();
  const { stdout, stderr } = await expectOk(checkout, ["up", "local"]);
  expect(stdout).toMatch(/Nothing changed\./);
  expect(stderr).not.toMatch(/✓/);
  expect(pidsThere()).toEqual(before);
});

it("runs a command, hands its output and its exit code through", async () => {
  const outcome = await checkout.spillway(["run", "--cpu", "1", "--", "sh", "-c", "echo hi; echo problem >&2; exit 3"]);
  expect(outcome).toMatchObject({ code: 3, stdout: "hi\n" });
  expect(outcome.stderr).toContain("problem\n");
});

it("refuses a job that could never fit, and names what is short", async () => {
  const outcome = await checkout.spillway(["run", "--cpu", "64", "--", "true"]);
  expect(outcome.code).not.toBe(0);
  expect(outcome.stderr).toMatch(/cpu/);
});

it("keeps a job that has to wait pending and explains why", async () => {
  const holders = ["m-1", "m-2", "m-3"].map((_node, index) => `holder-${index}`);
  for (const name of holders) await expectOk(checkout, ["run", "--detach", "--cpu", "1.2", "--name", name, "--", "sleep", "600"]);
  await expectOk(checkout, ["run", "--detach", "--cpu", "1.2", "--name", "waiter", "--", "true"]);
  const { stdout } = await expectOk(checkout, ["explain", "job/waiter"]);
  expect(stdout).toMatch(/pending/);
  expect(stdout).toMatch(/cpu/);
  for (const name of holders) await expectOk(checkout, ["jobs", "cancel", name]);
  await waitUntil("the waiting job has run", async () => {
    const shown = await expectOk(checkout, ["jobs", "show", "waiter", "--output", "json"]);
    return (JSON.parse(shown.stdout) as { state: string }).state === "succeeded";
  });
});

it("runs 300 jobs of a trace to the end, each once, never over a node's capacity, on every node", async () => {
  // What is bought for it would take its share of the jobs.
  await expectOk(checkout, ["burst", "pause"]);
  const { file, jobs } = traceFile(checkout.directory);
  const { stdout, stderr } = await expectOk(checkout, ["jobs", "submit", "--trace", file]);
  expect(stdout + stderr).toMatch(/duration {2}= /);
  const records: TaskRecord[] = await recordsOf(checkout);
  expect(records).toHaveLength(jobs);
  expect(records.filter((record) => record.successes !== 1)).toEqual([]);
  const capacity = { "m-1": { cpu: 1500, memory: 3584 }, "m-2": { cpu: 2000, memory: 4096 }, "m-3": { cpu: 2000, memory: 4096 } };
  expect(peaksOver(records, capacity)).toEqual([]);
  for (const node of Object.keys(capacity)) {
    expect(records.filter((record) => record.node === node).length, `jobs on ${node}`).toBeGreaterThanOrEqual(jobs / 10);
  }
  await expectOk(checkout, ["burst", "resume"]);
});

it("finds a node that is gone and mends it by the next up", async () => {
  const agent = processesOf(join(checkout.state, "machines", "m-2"));
  for (const { pid } of agent) process.kill(pid, "SIGKILL");
  const preview = await expectOk(checkout, ["preview", "local"]);
  expect(preview.stdout).toMatch(/machine m-2/);
  await expectOk(checkout, ["up", "local"]);
  expect(await nodeStates()).toEqual({ "m-1": "ready", "m-2": "ready", "m-3": "ready" });
});

it("mends all after the computer was rebooted, and knows its jobs", async () => {
  for (const { pid } of processesOf(checkout.state)) process.kill(pid, "SIGKILL");
  await waitUntil("everything is off", () => processesOf(checkout.state).every(({ pid }) => !processAlive(pid)));
  await expectOk(checkout, ["up", "local"]);
  expect(await nodeStates()).toEqual({ "m-1": "ready", "m-2": "ready", "m-3": "ready" });
  const { stdout } = await expectOk(checkout, ["jobs", "show", "waiter", "--output", "json"]);
  expect(JSON.parse(stdout)).toMatchObject({ state: "succeeded" });
  expect(await checkout.spillway(["run", "--", "sh", "-c", "exit 5"])).toMatchObject({ code: 5 });
});

it("is taken down with running tasks and leaves no process, directory or stack, but its logs", async () => {
  await expectOk(checkout, ["run", "--detach", "--name", "long", "--", "sleep", "600"]);
  await waitUntil("it runs", async () => (await expectOk(checkout, ["jobs", "show", "long"])).stdout.includes("running"));
  await expectOk(checkout, ["destroy", "local", "--yes"]);
  expect(processesOf(checkout.directory)).toEqual([]);
  expect(readdirSync(checkout.state)).toEqual(["logs"]);
  const ledger = readFileSync(join(checkout.state, "logs", "final-ledger.jsonl"), "utf8");
  expect(ledger).toMatch(/"id":"long"/);
  expect(existsSync(join(checkout.directory, "stacks/environment/Pulumi.local.yaml"))).toBe(true);
  expect(checkout.gitStatus()).toBe("");
  expect((await expectOk(checkout, ["destroy", "local", "--yes"])).stdout).toMatch(/nothing/i);
});
