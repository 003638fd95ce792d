/** Two operators keep hosts together: one shared backend, a clone of their own each, and each their own SSH key. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Checkout, makeCheckout } from "../support/checkout.ts";
import { expectOk } from "../support/expect-ok.ts";
import { allowedDifferences } from "./support/allowed-differences.ts";
import type { HostSnapshot } from "./support/host-snapshot.ts";
import { bootLab, type Lab } from "./support/lab.ts";
import { nodeStates, rackClient, writeRack } from "./support/rack.ts";
import { outputOf } from "./support/run-program.ts";
import { remainingDifferences } from "./support/snapshot-differences.ts";

const environment = "rack";
const settingsFile = `stacks/environment/Pulumi.${environment}.yaml`;
let lab: Lab;
let shared: string;
let anna: Checkout;
let ben: Checkout;
let env: Record<string, string>;
const before = new Map<string, HostSnapshot>();

beforeAll(async () => {
  shared = mkdtempSync(join(tmpdir(), "spillway-team-"));
  mkdirSync(join(shared, "backend"));
  env = { PULUMI_BACKEND_URL: pathToFileURL(join(shared, "backend")).href, PULUMI_CONFIG_PASSPHRASE: "the team's own" };
  [anna, ben] = [makeCheckout(environment), makeCheckout(environment)];
  lab = await bootLab({ hosts: [{ name: "r1" }, { name: "r2" }] });
  for (const host of lab.hosts) before.set(host.name, await host.snapshot());
});
afterAll(async () => {
  await lab.close();
  for (const checkout of [anna, ben]) checkout.remove();
  rmSync(shared, { recursive: true, force: true });
});

it("what one has made changes nothing for the other, who has a way in by `up` and finds no drift", async () => {
  writeRack(
    anna,
    lab.hosts.map((host) => ({ host })),
  );
  await expectOk(anna, ["up", environment, "--yes"], env);
  cpSync(join(anna.directory, settingsFile), join(ben.directory, settingsFile));
  // A clone that was never up: what CI has.
  expect((await expectOk(ben, ["preview", environment, "--expect-no-changes"], env)).stdout).toContain("Nothing to change.");
  const boots = await Promise.all(lab.hosts.map((host) => host.read("systemctl show -p MainPID --value spillway-master spillway-agent")));
  await expectOk(ben, ["up", environment, "--yes"], env);
  expect(await Promise.all(lab.hosts.map((host) => host.read("systemctl show -p MainPID --value spillway-master spillway-agent")))).toEqual(
    boots,
  );
  const client = rackClient(ben);
  expect(await nodeStates(client)).toEqual({ r1: "ready", r2: "ready" });
  client.dispose();
  expect((await expectOk(anna, ["up", environment, "--yes"], env)).stdout).toContain("Nothing changed.");
  await expectOk(anna, ["preview", environment, "--expect-no-changes"], env);
});

it("the one whose key the hosts know takes it down, also when the other's is gone from them; nothing is left", async () => {
  const key = join(shared, "ben");
  await outputOf(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key]);
  for (const host of lab.hosts) {
    await host.read(`cat > /home/ops/.ssh/authorized_keys`, { input: readFileSync(`${key}.pub`) });
    before.set(host.name, await host.snapshot());
  }
  expect((await anna.spillway(["preview", environment, "--expect-no-changes"], { env })).code).not.toBe(0);
  // In a team the settings say `key: agent`; here each file stands for one's own agent.
  const text = readFileSync(join(ben.directory, settingsFile), "utf8").replaceAll(lab.keyFile, key);
  writeFileSync(join(ben.directory, settingsFile), text);
  await expectOk(ben, ["up", environment, "--yes"], env);
  await expectOk(ben, ["destroy", environment, "--yes"], env);
  for (const host of lab.hosts) {
    const differences = await remainingDifferences(host, before.get(host.name) as HostSnapshot, {
      allowed: [...allowedDifferences, /^\w+ [-~] .*(spillway|7070)/],
    });
    expect(differences, `left on ${host.name}`).toEqual([]);
    expect(await host.read("ls -d /opt/spillway /etc/spillway /var/lib/spillway 2>/dev/null; true")).toBe("");
  }
});
