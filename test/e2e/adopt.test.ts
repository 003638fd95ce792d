/** The state and the context of an environment are lost; its machines and their tasks are not, and `nodes adopt` brings it back. */
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createClient } from "../../agent/contract/client.ts";
import { jobSpec } from "../../agent/contract/workload.ts";
import { type Checkout, makeCheckout, readContext } from "../support/checkout.ts";
import { processesOf } from "../support/leftovers.ts";
import { waitUntil } from "../support/wait-until.ts";

let checkout: Checkout;
let former: ReturnType<typeof readContext>;

beforeAll(async () => {
  checkout = makeCheckout();
  const pools = "{ m: { provider: local, count: 3 } }";
  const timers = "{ interval: 250ms, suspectAfter: 2s, disconnectedAfter: 3s, lostAfter: 5s }";
  const text = `config:\n  spillway:environment:\n    masters: { pool: m }\n    pools: ${pools}\n    heartbeat: ${timers}\n`;
  writeFileSync(join(checkout.directory, "stacks/environment/Pulumi.local.yaml"), text);
  const { code, stderr } = await checkout.spillway(["up", "local"]);
  if (code !== 0) throw new Error(stderr);
  former = readContext(checkout);
});
afterAll(() => checkout.remove());

const adopt = (env: Record<string, string> = {}) => checkout.spillway(["nodes", "adopt", "local", "--yes"], { env });
const loseState = () => {
  for (const part of ["backend", "context.json", "passphrase"]) rmSync(join(checkout.state, part), { recursive: true, force: true });
};

async function withClient<T>(act: (client: ReturnType<typeof createClient>) => Promise<T>): Promise<T> {
  const client = createClient(readContext(checkout));
  try {
    return await act(client);
  } finally {
    client.dispose();
  }
}

it("says that there is nothing to adopt while the state is there", async () => {
  expect(await adopt()).toMatchObject({ code: 1, stderr: expect.stringContaining("its state is there") });
});

it("brings the environment back under a new root CA and token: the same id, the same tasks, none begun anew", async () => {
  await withClient(async (client) => {
    const spec = { name: "long", command: ["sleep", "600"], count: 3, resources: { cpu: 500, memory: 64 } };
    await client.submitJob(jobSpec.parse(spec));
    await waitUntil("all run", async () => (await client.job("long")).indexes.every(({ attempts }) => attempts[0]?.state === "running"));
  });
  const tasks = () => processesOf(checkout.state).filter(({ command }) => command.includes("sleep 600"));
  const before = tasks().map(({ pid }) => pid);
  loseState();
  const { code, stdout, stderr } = await adopt();
  expect(code, stderr).toBe(0);
  expect(stderr).toContain("3 of 3 machines say that they are its own");
  expect(stdout).toContain("local is back: 3 nodes");
  const now = readContext(checkout);
  expect(now.environmentId).toBe(former.environmentId);
  expect(now.ca).not.toBe(former.ca);
  expect(now.token).not.toBe(former.token);
  await withClient(async (client) => {
    expect((await client.nodes()).map(({ state }) => state)).toEqual(["ready", "ready", "ready"]);
    expect((await client.job("long")).indexes.map(({ attempts }) => attempts.map(({ state }) => state))).toEqual([
      ["running"],
      ["running"],
      ["running"],
    ]);
  });
  expect(tasks().map(({ pid }) => pid)).toEqual(before);
  expect(await checkout.spillway(["preview", "local", "--expect-no-changes"])).toMatchObject({ code: 0 });
});

it("a way in with the former token is none any more", async () => {
  const client = createClient({ ...readContext(checkout), token: former.token });
  await expect(client.pool()).rejects.toMatchObject({ code: "unauthorized" });
  client.dispose();
});

it("killed on its way it goes on when it is run again", async () => {
  for (const point of ["context.write:before", "remote.join:before", "node.declare:after"]) {
    loseState();
    const marker = join(checkout.directory, ".spillway", `crashed-${point.replaceAll(/\W/g, "-")}`);
    const cut = await adopt({ SPILLWAY_CRASH_AT: point, SPILLWAY_CRASH_MARKER: marker });
    expect(cut.code, point).not.toBe(0);
    expect(await adopt(), point).toMatchObject({ code: 0 });
    await withClient(async (client) => {
      expect((await client.job("long")).indexes.map(({ attempts }) => attempts.length)).toEqual([1, 1, 1]);
    });
  }
});

it("says so when the machines were lost with the state", async () => {
  expect(await checkout.spillway(["destroy", "local", "--yes"])).toMatchObject({ code: 0 });
  expect(await adopt()).toMatchObject({ code: 1, stderr: expect.stringContaining("nothing to adopt") });
});
