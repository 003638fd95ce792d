/** A node is taken out of a running environment: its tasks may end first, it comes off clean, and whatever can't be done is said before. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Client, createClient } from "../../agent/contract/client.ts";
import { jobSpec } from "../../agent/contract/workload.ts";
import { type Checkout, makeCheckout, readContext } from "../support/checkout.ts";
import { processesOf } from "../support/leftovers.ts";
import { waitUntil } from "../support/wait-until.ts";

let checkout: Checkout;
let client: Client;

beforeAll(async () => {
  checkout = makeCheckout();
  const pools = "{ m: { provider: local, count: 2 }, n: { provider: local, count: 2 } }";
  const text = `config:\n  spillway:environment:\n    masters: { pool: m }\n    pools: ${pools}\n`;
  writeFileSync(join(checkout.directory, "stacks/environment/Pulumi.local.yaml"), text);
  const { code, stderr } = await checkout.spillway(["up", "local"]);
  if (code !== 0) throw new Error(stderr);
  client = createClient(readContext(checkout));
});
afterAll(() => {
  client.dispose();
  checkout.remove();
});

const remove = (...words: string[]) => checkout.spillway(["nodes", "remove", ...words, "--yes"]);
const names = async () => (await client.nodes()).map(({ name }) => name);
const machine = (name: string) => join(checkout.state, "machines", name);

/** A task that only that pool can take, running. */
async function runOn(pool: string, name: string, command: string[]): Promise<string> {
  await client.submitJob(jobSpec.parse({ name, command, nodePool: pool, resources: { cpu: 1500, memory: 64 } }));
  await waitUntil(`${name} runs`, async () => (await client.job(name)).indexes[0]?.attempts[0]?.state === "running");
  return (await client.job(name)).indexes[0]?.attempts[0]?.node as string;
}

it("refuses the machine that carries the master, and a name that nobody has", async () => {
  expect(await remove("m-1")).toMatchObject({ code: 1, stderr: expect.stringContaining("it carries the master") });
  expect(await remove("m-22")).toMatchObject({ code: 1, stderr: expect.stringContaining("Did you mean m-2?") });
});

it("waits for its tasks and gives it no new one; past the deadline it stays, cordoned, and says what runs", async () => {
  const node = await runOn("n", "long", ["sleep", "600"]);
  const refused = await remove(node, "--deadline", "2s");
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/1 task still runs on it \(long\.0\.1\) after 2 s, so it was not removed/);
  expect((await client.node(node)).scheduling).toBe("cordoned");
  expect((await client.job("long")).indexes[0]?.attempts).toHaveLength(1);
});

it("by force its task goes on elsewhere, as a new attempt, and the machine is gone with all its processes", async () => {
  const node = (await client.job("long")).indexes[0]?.attempts[0]?.node as string;
  const { code, stdout, stderr } = await remove(node, "--force");
  expect(code, stderr).toBe(0);
  expect(stdout).toContain(`${node} is removed: 3 nodes`);
  expect(stdout).toMatch(/lower count in stacks\/environment\/Pulumi\.local\.yaml line \d+ to 1, or the next up makes it again/);
  expect(await names()).not.toContain(node);
  expect(existsSync(machine(node))).toBe(false);
  expect(processesOf(machine(node))).toEqual([]);
  await waitUntil("it runs elsewhere", async () => (await client.job("long")).indexes[0]?.attempts.at(-1)?.state === "running");
  expect((await client.job("long")).indexes[0]?.attempts.map(({ state }) => state)).toEqual(["lost", "running"]);
});

it("a task that ends in time ends where it ran, and nothing else is touched", async () => {
  const before = processesOf(machine("m-1")).map(({ pid }) => pid);
  await client.submitJob(
    jobSpec.parse({ name: "short", command: ["sleep", "4"], nodePool: "m", count: 2, resources: { cpu: 1000, memory: 64 } }),
  );
  await waitUntil("both run", async () => (await client.job("short")).indexes.every(({ attempts }) => attempts[0]?.state === "running"));
  expect(await remove("m-2")).toMatchObject({ code: 0 });
  await waitUntil("it is done", async () => (await client.job("short")).state === "succeeded", 30_000);
  expect((await client.job("short")).indexes.map(({ attempts }) => attempts.length)).toEqual([1, 1]);
  expect(before.filter((pid) => !processesOf(machine("m-1")).some((one) => one.pid === pid))).toHaveLength(0);
});

it("the settings still name them, so the next up makes them again", async () => {
  expect(await checkout.spillway(["up", "local"])).toMatchObject({ code: 0, stdout: expect.stringMatching(/One pool: 4 nodes/) });
  expect((await client.nodes()).filter(({ scheduling }) => scheduling !== "open")).toEqual([]);
});
