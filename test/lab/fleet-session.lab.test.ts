/** Twelve hosts in two sites, some of them not simply there: behind two hops, with a sudo password, with an encrypted key, on a line that breaks, without systemd, and one that shows another key than it should. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Checkout, makeCheckout } from "../support/checkout.ts";
import { waitUntil } from "../support/wait-until.ts";
import { allowedDifferences } from "./support/allowed-differences.ts";
import type { Container } from "./support/container.ts";
import type { HostSnapshot } from "./support/host-snapshot.ts";
import { bootLab, type Lab } from "./support/lab.ts";
import { nodeStates, type RackHost, rackClient, writeRack } from "./support/rack.ts";
import { outputOf } from "./support/run-program.ts";
import { remainingDifferences } from "./support/snapshot-differences.ts";
import { type SshProxy, sshProxy } from "./support/ssh-proxy.ts";

const environment = "rack";
const plain = ["plain1", "plain2", "plain3"];
const wrongKey = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const sudoPassword = "correct horse battery";
const passphrase = "staple of the lab";
const env = { OPS_SUDO: sudoPassword };
/** That a user was told once what sudo is about. */
const ofSudo = /\/var\/lib\/sudo/;
/** Well within the bundle. */
const breakAtBytes = 5_000_000;

let lab: Lab;
let checkout: Checkout;
let flaky: SshProxy;
const before = new Map<Container, HostSnapshot>();
const inLab = (name: string) => join(lab.directory, name);

beforeAll(async () => {
  checkout = makeCheckout(environment);
  const named = (site: string, ...names: string[]) => names.map((name) => ({ name, site }));
  lab = await bootLab({
    sites: ["berlin", "hamburg"],
    hosts: [
      ...named("berlin", "first", "outer", "locked", "flaky", ...plain.slice(0, 2)),
      ...named("hamburg", "inner", "hidden", "impostor", ...plain.slice(2)),
      { name: "asks", site: "berlin", sudo: false },
      { name: "old", site: "hamburg", init: "openrc" },
    ],
  });
  await lab.host("asks").read(`echo 'ops:${sudoPassword}' | chpasswd
printf '%s\\n' 'Defaults:ops timestamp_timeout=0' 'ops ALL=(ALL:ALL) ALL' > /etc/sudoers.d/ops
chmod 440 /etc/sudoers.d/ops`);
  await encryptKeyOf("locked");
  // The hidden host lets nobody in but who comes from the inner hop.
  const rule = `\nMatch Address *,!${lab.host("inner").address}\n  DenyUsers *\n`;
  await lab.host("hidden").read("cat >> /etc/ssh/sshd_config && systemctl reload ssh", { input: rule });
  flaky = await sshProxy({ address: lab.host("flaky").address });
  for (const host of lab.hosts) before.set(host, await host.snapshot());
  writeSettings();
});
afterAll(async () => {
  await flaky.close();
  await lab.close();
  checkout.remove();
});

/** From now on only an encrypted key opens it. */
async function encryptKeyOf(name: string): Promise<void> {
  await outputOf(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", inLab("encrypted-key")]);
  writeFileSync(inLab("passphrase"), `${passphrase}\n`, { mode: 0o600 });
  const publicKey = readFileSync(inLab("encrypted-key.pub"), "utf8");
  await lab.host(name).read("cat > /home/ops/.ssh/authorized_keys", { input: publicKey });
}

function writeSettings(): void {
  const alias = (name: string, ...lines: string[]) =>
    [`Host ${name}`, `HostName ${lab.host(name).address}`, `User ops`, `IdentityFile ${lab.keyFile}`, ...lines].join("\n  ");
  writeFileSync(inLab("ssh-config"), `${alias("outer")}\n${alias("inner", "ProxyJump outer")}\n${alias("hidden", "ProxyJump inner")}\n`);
  const known = ["outer", "inner", "hidden"].map((name) => `${lab.host(name).address} ${lab.host(name).hostPublicKey}\n`);
  writeFileSync(inLab("known-hosts"), known.join(""));
  const host = (name: string, over: Record<string, unknown> = {}): RackHost => ({ host: lab.host(name), over });
  const hosts = [
    ...["first", "old", ...plain].map((name) => host(name)),
    host("hidden", { host: "hidden", hostKey: undefined }),
    host("asks", { sudoPassword: "env:OPS_SUDO" }),
    host("locked", { key: inLab("encrypted-key"), keyPassphrase: `file:${inLab("passphrase")}` }),
    host("impostor", { hostKey: wrongKey }),
    host("flaky", { host: "127.0.0.1", port: flaky.port }),
  ];
  writeRack(checkout, hosts, { onFailure: "continue", over: { sshConfig: inLab("ssh-config"), knownHosts: inLab("known-hosts") } });
}

async function states(): Promise<Record<string, string>> {
  const client = rackClient(checkout);
  try {
    return await nodeStates(client);
  } finally {
    client.dispose();
  }
}

it("takes every host that can be reached, goes on when a line breaks in the middle of the bundle, and names the one with another key", async () => {
  // Its names hashed, as many people have them.
  await outputOf(["ssh-keygen", "-q", "-H", "-f", inLab("known-hosts")]);
  flaky.cutAfter(breakAtBytes);
  const { outcome } = checkout.start(["up", environment, "--yes"], { env });
  await waitUntil("the line broke in the middle of the bundle", async () => flaky.sent() > breakAtBytes, 300_000);
  flaky.cutAfter(undefined);
  const { code, stdout, stderr } = await outcome;
  expect(code, stdout + stderr).toBe(0);
  expect(stdout + stderr).toContain(`the host key is ${lab.host("impostor").hostKey}, expected ${wrongKey} (pinned)`);
  const taken = ["first", "old", ...plain, "hidden", "asks", "locked", "flaky"];
  expect(await states()).toEqual(Object.fromEntries(taken.map((name) => [name, "ready"])));
  expect((await lab.host("flaky").read("ls /opt/spillway/bundles")).trim().split("\n")).toHaveLength(1);
});

it("changes nothing the second time", async () => {
  const { code, stdout, stderr } = await checkout.spillway(["up", environment, "--yes"], { env });
  expect(code, stdout + stderr).toBe(0);
  for (const name of ["first", "hidden", "asks", "locked"])
    expect(
      readFileSync(join(checkout.state, "logs", "changes.log"), "utf8")
        .split("\n")
        .filter((line) => line.includes(` ${name}: start the`)),
    ).toHaveLength(name === "first" ? 2 : 1);
});

it("has the host without systemd back by itself after its reboot", async () => {
  await lab.host("old").reboot();
  await waitUntil("its agent is back", async () => (await states()).old === "ready", 60_000);
});

it("keeps password and passphrase to itself: they are in no state, no log and no command line", async () => {
  const exported = await checkout.run("sh", [
    "-c",
    `eval "$(./spillway env ${environment} 2>/dev/null)" && cd stacks/environment && pulumi stack export --show-secrets -s ${environment}`,
  ]);
  expect(exported.code, exported.stderr).toBe(0);
  const kept = readdirSync(checkout.state, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), "utf8"));
  for (const secret of [sudoPassword, passphrase]) {
    expect(exported.stdout).not.toContain(secret);
    for (const text of kept) expect(text).not.toContain(secret);
    const found = await lab.host("asks").exec(["grep", "-rlF", secret, "/etc", "/opt", "/var", "/home", "/run/systemd"]);
    expect(found.stdout).toBe("");
    expect(await lab.host("asks").read(["journalctl", "--no-pager"])).not.toContain(secret);
  }
});

it("tries a wrong password once, and says which variable is not set", async () => {
  const failures = async () =>
    (await lab.host("asks").read(["journalctl", "--no-pager"])).split("\n").filter((line) => /authentication failure/.test(line)).length;
  const earlier = await failures();
  const wrong = await checkout.spillway(["doctor", "asks", "--env", environment], { env: { OPS_SUDO: "not it" } });
  expect(wrong.code).toBe(1);
  expect(wrong.stdout).toContain("sudo refuses its user ops with the password that sudoPassword names");
  expect(wrong.stdout).not.toContain("not it");
  expect((await failures()) - earlier).toBeLessThanOrEqual(1);
  const missing = await checkout.spillway(["doctor", "asks", "--env", environment]);
  expect(missing.stdout).toContain("OPS_SUDO, which is not set");
});

it("leaves nothing on any host after destroy", async () => {
  const { code, stdout, stderr } = await checkout.spillway(["destroy", environment, "--yes"], { env });
  expect(code, stdout + stderr).toBe(0);
  for (const [host, snapshot] of before)
    expect(await remainingDifferences(host, snapshot, { allowed: [...allowedDifferences, ofSudo] }), `left on ${host.name}`).toEqual([]);
});
