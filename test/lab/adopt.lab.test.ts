/** The whole-loss drill on real hosts: backend, passphrase and context are deleted; `nodes adopt` brings the environment back, verified by the pins, and no task is begun anew. */
import { rmSync } from "node:fs";
import { afterAll, beforeAll, expect, it } from "vitest";
import { jobSpec } from "../../agent/contract/workload.ts";
import { type Checkout, makeCheckout, readContext } from "../support/checkout.ts";
import { expectOk } from "../support/expect-ok.ts";
import { waitUntil } from "../support/wait-until.ts";
import { allowedDifferences } from "./support/allowed-differences.ts";
import type { HostSnapshot } from "./support/host-snapshot.ts";
import { bootLab, type Lab } from "./support/lab.ts";
import { nodeStates, rackClient, writeRack } from "./support/rack.ts";
import { remainingDifferences } from "./support/snapshot-differences.ts";

const environment = "rack";
const lostAfterMs = 6000;
let lab: Lab;
let checkout: Checkout;
const before = new Map<string, HostSnapshot>();

beforeAll(async () => {
  checkout = makeCheckout(environment);
  lab = await bootLab({ hosts: [{ name: "r1" }, { name: "r2" }, { name: "r3" }, { name: "r4" }] });
  for (const host of lab.hosts) before.set(host.name, await host.snapshot());
  writeSettings();
  await expectOk(checkout, ["up", environment, "--yes"]);
});
afterAll(async () => {
  await lab.close();
  checkout.remove();
});

/** `r1` carries the master, its key stands in the settings; the others were believed at first use. */
function writeSettings(names = ["r1", "r2", "r3", "r4"]): void {
  const hosts = names.map((name) => ({
    host: lab.host(name),
    ...(name === "r1" ? {} : { over: { hostKey: undefined, trustOnFirstUse: true } }),
  }));
  writeRack(checkout, hosts, { heartbeat: { suspectAfter: "2s", disconnectedAfter: "3s", lostAfter: `${lostAfterMs}ms` } });
}

function loseEverything(): void {
  rmSync(checkout.state, { recursive: true, force: true });
}

/** Process ids and start times of every task, by the hosts' own word. */
async function taskProcesses(): Promise<string[]> {
  const read = `for unit in $(systemctl list-units --plain --no-legend 'spillway-task-*.service' | awk '{print $1}'); do systemctl show -p Id -p MainPID -p ExecMainStartTimestampMonotonic --value "$unit" | tr '\\n' ' '; echo; done`;
  return (await Promise.all(lab.hosts.map(async (host) => (await host.read(read)).trim()))).sort();
}

async function runLongJob(): Promise<void> {
  const client = rackClient(checkout);
  await client.submitJob(jobSpec.parse({ name: "long", command: ["sleep", "3000"], count: 4, resources: { cpu: 200, memory: 32 } }));
  await waitUntil("all run", async () => (await client.job("long")).indexes.every(({ attempts }) => attempts[0]?.state === "running"));
  client.dispose();
}

it("brings the environment back with a new root CA, every node ready, every task the same process as before", async () => {
  await runLongJob();
  const former = readContext(checkout);
  const processes = await taskProcesses();
  loseEverything();

  // What everybody tries first: nothing is changed, and the stack that it has begun is in nobody's way.
  const refused = await checkout.spillway(["up", environment, "--yes"]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(former.environmentId);

  const adopted = await expectOk(checkout, ["nodes", "adopt", environment, "--yes"]);
  expect(adopted.stderr).toContain("4 of 4 machines say that they are its own");
  expect(adopted.stderr).toContain("3 hosts by the master's pins");
  const now = readContext(checkout);
  expect(now.environmentId).toBe(former.environmentId);
  expect(now.ca).not.toBe(former.ca);
  const client = rackClient(checkout);
  expect(await nodeStates(client)).toEqual({ r1: "ready", r2: "ready", r3: "ready", r4: "ready" });
  expect((await client.job("long")).indexes.map(({ attempts }) => attempts.map(({ state }) => state))).toEqual(
    Array.from({ length: 4 }, () => ["running"]),
  );
  client.dispose();
  expect(await taskProcesses()).toEqual(processes);
  await expectOk(checkout, ["preview", environment, "--expect-no-changes"]);
});

it("refuses a host that presents another key than the master has pinned", async () => {
  loseEverything();
  await lab
    .host("r3")
    .read("rm -f /etc/ssh/ssh_host_*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key; systemctl restart ssh");
  const refused = await checkout.spillway(["nodes", "adopt", environment, "--yes"]);
  expect(refused.code).toBe(1);
  expect(refused.stderr).toMatch(/machine r3 .*: the host key is SHA256:\S+, expected SHA256:\S+ \(pinned\)/);
  const fingerprint = (await lab.host("r3").read("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")).split(" ")[1] ?? "";
  await expectOk(checkout, ["nodes", "adopt", environment, "--yes", "--trust", `r3=${fingerprint}`]);
});

it("without the master's records the nodes come back, and what ran is ended, as was said before", async () => {
  await lab
    .host("r1")
    .read(
      "systemctl disable --now spillway-agent spillway-master; systemctl stop 'spillway-task-*'; rm -rf /opt/spillway /etc/spillway /var/lib/spillway /etc/systemd/system/spillway-*.service; systemctl daemon-reload",
    );
  loseEverything();
  const keys = await Promise.all(
    ["r2", "r3", "r4"].map(async (name) => {
      const fingerprint = (await lab.host(name).read("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")).split(" ")[1];
      return ["--trust", `${name}=${fingerprint}`];
    }),
  );
  const adopted = await expectOk(checkout, ["nodes", "adopt", environment, "--yes", ...keys.flat()]);
  expect(adopted.stderr).toContain("the master's records are gone");
  await waitUntil("no task is left", async () => (await taskProcesses()).every((line) => line === ""), 60_000);
});

it("an adopted environment is destroyed like any other", async () => {
  await expectOk(checkout, ["destroy", environment, "--yes"]);
  for (const host of lab.hosts) {
    const allowed = [...allowedDifferences, /\/etc\/ssh\/ssh_host_/];
    expect(await remainingDifferences(host, before.get(host.name) as HostSnapshot, { allowed }), `left on ${host.name}`).toEqual([]);
  }
});
