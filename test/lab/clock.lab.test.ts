/** A host with a kernel of its own (a QEMU guest): a wrong clock is refused, limits are enforced, and a reboot is survived. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "../../agent/contract/client.ts";
import { jobSpec } from "../../agent/contract/workload.ts";
import { type Checkout, makeCheckout } from "../support/checkout.ts";
import { waitUntil } from "../support/wait-until.ts";
import { bootLab, type Lab } from "./support/lab.ts";
import { endedJob, nodeStates, rackClient, writeRack } from "./support/rack.ts";
import { bootVm, type Vm } from "./support/vm.ts";

const environment = "rack";
const fiveMinutesMs = 300_000;

let lab: Lab;
let vm: Vm;
let checkout: Checkout;
let client: Client | undefined;

beforeAll(async () => {
  checkout = makeCheckout(environment);
  lab = await bootLab({ hosts: 1 });
  vm = await bootVm(lab, { clockOffsetMs: fiveMinutesMs });
  writeRack(checkout, [{ host: lab.host("h1") }, { host: vm, pool: "guest" }], { heartbeat: { lostAfter: "5m" } });
});
afterAll(async () => {
  client?.dispose();
  await lab.close();
  checkout.remove();
});

function master(): Client {
  client ??= rackClient(checkout);
  return client;
}

async function up(): Promise<{ code: number | null; text: string }> {
  const { code, stdout, stderr } = await checkout.spillway(["up", environment, "--yes"]);
  return { code, text: stdout + stderr };
}

it("refuses a host whose clock is five minutes off, and says by how much", async () => {
  const { code, text } = await up();
  expect(code, text).toBe(1);
  expect(text).toMatch(/machine vm .*its clock is (29\d|30\d)\.\d s ahead of this computer's/);
  expect(text).toContain("timedatectl set-ntp true");
});

it("takes it when its clock is set right", async () => {
  await vm.setClockOffset(0);
  const { code, text } = await up();
  expect(code, text).toBe(0);
  expect(await nodeStates(master())).toEqual({ h1: "ready", vm: "ready" });
});

it("has its kernel hold a task to its memory, and tells that as the reason", async () => {
  const guest = (await master().nodes()).find(({ name }) => name === "vm");
  expect(guest?.facts?.enforced).toContain("memory");
  const command = ["sh", "-c", "echo begin; head -c 200000000 /dev/zero | tail"];
  await master().submitJob(jobSpec.parse({ name: "greedy", nodePool: "guest", command, resources: { cpu: 500, memory: 64 }, retries: 0 }));
  const job = await endedJob(master(), "greedy", 120_000);
  expect(job.state).toBe("failed");
  expect(job.indexes[0]?.attempts.at(-1)?.reason).toMatch(/memory/);
});

it("runs its job again after its reboot, as another attempt", async () => {
  const command = ["sh", "-c", "sleep 20"];
  await master().submitJob(jobSpec.parse({ name: "again", nodePool: "guest", command, resources: { cpu: 500, memory: 64 }, retries: 2 }));
  await waitUntil("it runs", async () => (await master().job("again")).indexes[0]?.attempts[0]?.state === "running", 60_000);
  await vm.reboot();
  const job = await endedJob(master(), "again", 400_000);
  expect(job.state, JSON.stringify(job.indexes)).toBe("succeeded");
  expect(job.indexes[0]?.attempts.map(({ state }) => state)).toEqual(["lost", "succeeded"]);
  expect(job.indexes[0]?.attempts[0]?.reason).toMatch(/rebooted/);
});
