/** The commands for single hosts, on real ones: a doctor's visit, a shell, a jump host, and a host key that was made anew. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Checkout, makeCheckout } from "../support/checkout.ts";
import type { CommandOutcome } from "../support/outcome-of.ts";
import type { Container } from "./support/container.ts";
import { bootLab, type Lab } from "./support/lab.ts";
import { nodeStates, rackClient, writeRack } from "./support/rack.ts";

const environment = "rack";
let lab: Lab;
let checkout: Checkout;
let [near, inner]: Container[] = [];

beforeAll(async () => {
  checkout = makeCheckout(environment);
  lab = await bootLab({ hosts: [{ name: "near" }, { name: "inner" }] });
  [near, inner] = [lab.host("near"), lab.host("inner")];
  // It answers to its own site only.
  await inner.read("ip route del default");
  writeSettings();
});
afterAll(async () => {
  await lab.close();
  checkout.remove();
});

function hosts(): { near: Container; inner: Container } {
  if (near === undefined || inner === undefined) throw new Error("the lab was not booted");
  return { near, inner };
}

/** `near` is believed at first use and carries the master; `inner` can be reached through it only. */
function writeSettings(): void {
  const { near: carrier, inner: behind } = hosts();
  writeRack(
    checkout,
    [
      { host: carrier, over: { hostKey: undefined, trustOnFirstUse: true } },
      { host: behind, over: { jump: "near" } },
    ],
    {
      jumps: { near: carrier },
    },
  );
}

function spillway(...words: string[]): Promise<CommandOutcome> {
  return checkout.spillway(words, { env: { SPILLWAY_ENV: environment } });
}

it("the doctor finds nothing against the two, one of them behind the other, and changes neither", async () => {
  for (const { name } of Object.values(hosts())) {
    const { code, stdout, stderr } = await spillway("doctor", name);
    expect(code, stdout + stderr).toBe(0);
    expect(stdout).toContain("Debian GNU/Linux 12");
    expect(stdout).toContain("by sudo, without a password");
    expect((await hosts().near.exec("test -e /opt/spillway")).code).toBe(1);
  }
});

it("a host behind a jump host becomes a node like any other", async () => {
  const { code, stdout, stderr } = await spillway("up", environment, "--yes");
  expect(code, stdout + stderr).toBe(0);
  const client = rackClient(checkout);
  expect(await nodeStates(client)).toEqual({ near: "ready", inner: "ready" });
  client.dispose();
});

it("nodes shell runs a command there, and ends with its code", async () => {
  expect(await spillway("nodes", "shell", "inner", "--", "sh", "-c", "hostname; exit 5")).toMatchObject({ code: 5, stdout: "inner\n" });
});

it("a host that presents another key is refused by up, and taken when a person trusts the new one", async () => {
  const { near: host } = hosts();
  await host.read("rm /etc/ssh/ssh_host_*; ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key; systemctl restart ssh");
  const fingerprint = (await host.read("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")).split(" ")[1] ?? "";
  const other = { ...host, hostKey: fingerprint };
  writeRack(
    checkout,
    [
      { host, over: { hostKey: undefined, trustOnFirstUse: true } },
      { host: hosts().inner, over: { jump: "near" } },
    ],
    { jumps: { near: other } },
  );
  const refused = await spillway("up", environment, "--yes");
  expect(refused.code, refused.stdout + refused.stderr).toBe(1);
  expect(refused.stderr).toContain(`the host key is ${fingerprint}, expected ${host.hostKey} (pinned)`);

  const trusted = await spillway("nodes", "trust", "near", "--fingerprint", fingerprint);
  expect(trusted, trusted.stderr).toMatchObject({ code: 0 });
  const up = await spillway("up", environment, "--yes");
  expect(up.code, up.stdout + up.stderr).toBe(0);
});

it("a host that gets another name stays a node, under that name", async () => {
  const { near: host, inner: behind } = hosts();
  const fingerprint = (await host.read("ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub")).split(" ")[1] ?? "";
  const known = { ...host, hostKey: fingerprint };
  writeRack(checkout, [{ host: known }, { host: behind, over: { jump: "near", name: "renamed" } }], { jumps: { near: known } });
  const { code, stdout, stderr } = await spillway("up", environment, "--yes");
  expect(code, stdout + stderr).toBe(0);
  const client = rackClient(checkout);
  expect(await nodeStates(client)).toEqual({ near: "ready", renamed: "ready" });
  client.dispose();
  expect(await spillway("run", "--", "true")).toMatchObject({ code: 0 });
});

it("is destroyed through the jump host too", async () => {
  const { code, stdout, stderr } = await spillway("destroy", environment, "--yes");
  expect(code, stdout + stderr).toBe(0);
  for (const host of Object.values(hosts())) expect((await host.exec("ls /opt/spillway /etc/spillway")).code).not.toBe(0);
});

it("a first up that failed half-way leaves nothing after destroy either", async () => {
  const { inner: host } = hosts();
  await host.read(`ip route add default via ${host.address.replace(/\d+$/, "1")}`);
  // Nobody is reached there, so the master is installed and never answers.
  writeRack(checkout, [{ host }], { endpoint: `https://${host.address.replace(/\d+$/, "250")}:7070` });
  const failed = await spillway("up", environment, "--yes");
  expect(failed.code, failed.stdout + failed.stderr).toBe(1);
  expect(failed.stderr).toContain("the master did not become ready");
  expect((await host.exec("test -e /opt/spillway")).code).toBe(0);
  const { code, stdout, stderr } = await spillway("destroy", environment, "--yes");
  expect(code, stdout + stderr).toBe(0);
  expect((await host.exec("ls /opt/spillway /etc/spillway /etc/systemd/system/spillway-master.service")).stdout).toBe("");
});
