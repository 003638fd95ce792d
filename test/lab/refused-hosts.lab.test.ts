/** Hosts that can't be used: each refused with one clear error before anything is changed, and taken when it is mended. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Client } from "../../agent/contract/client.ts";
import { type Checkout, makeCheckout } from "../support/checkout.ts";
import { waitUntil } from "../support/wait-until.ts";
import { allowedDifferences } from "./support/allowed-differences.ts";
import type { Container } from "./support/container.ts";
import type { HostSnapshot } from "./support/host-snapshot.ts";
import { bootLab, type Lab } from "./support/lab.ts";
import { nodeStates, type RackHost, rackClient, writeRack } from "./support/rack.ts";
import { remainingDifferences } from "./support/snapshot-differences.ts";
import { type SshProxy, sshProxy } from "./support/ssh-proxy.ts";

const environment = "rack";
const wrongKey = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
/** KEXINIT, the key exchange's own, and a goodbye: what may be said before the host's key is known (RFC 4253, 12). */
const beforeLogin = [1, 2, 3, 4, 20, 30];

let lab: Lab;
let checkout: Checkout;
let proxy: SshProxy;
const before = new Map<Container, HostSnapshot>();

beforeAll(async () => {
  checkout = makeCheckout(environment);
  lab = await bootLab({
    hosts: [
      { name: "good" },
      { name: "impostor" },
      { name: "nosudo", sudo: false },
      { name: "full", diskMiB: 300 },
      { name: "musl", libc: "musl" },
      { name: "off" },
    ],
  });
  proxy = await sshProxy({ address: lab.host("impostor").address });
  await lab.host("off").powerOff({ hard: true });
  for (const host of lab.hosts) if (host.isOn()) before.set(host, await host.snapshot());
});
afterAll(async () => {
  await proxy.close();
  await lab.close();
  checkout.remove();
});

/** All six; the impostor is reached through the proxy. */
function sixHosts(impostorsKey: string): RackHost[] {
  return lab.hosts.map((host) =>
    host.name === "impostor"
      ? { host: { ...host, address: "127.0.0.1", hostKey: impostorsKey }, over: { port: proxy.port, connectTimeout: "10s" } }
      : { host },
  );
}

async function up(): Promise<{ code: number | null; text: string }> {
  const { code, stdout, stderr } = await checkout.spillway(["up", environment, "--yes"]);
  return { code, text: stdout + stderr };
}

async function withClient<T>(act: (client: Client) => Promise<T>): Promise<T> {
  const client = rackClient(checkout);
  try {
    return await act(client);
  } finally {
    client.dispose();
  }
}

it("names every host that can't be used at once, sends no login to a wrong key, and changes none (onFailure: stop)", async () => {
  writeRack(checkout, sixHosts(wrongKey), { onFailure: "stop" });
  const { code, text } = await up();
  expect(code, text).toBe(1);
  expect(text).toContain("5 of 6 hosts can't be used");
  expect(text).toContain(`the host key is ${lab.host("impostor").hostKey}, expected ${wrongKey} (pinned)`);
  expect(text).toContain("its user ops may not use sudo without a password");
  expect(text).toMatch(/\d+ MiB free on its disk, 600 MiB needed/);
  expect(text).toContain("its C library is musl; the bundle's Node needs glibc");
  expect(text).toMatch(/machine off \(.*\).*it does not answer over SSH/);
  expect(text).not.toMatch(/ {4}at /);
  expect(proxy.messages().length).toBeGreaterThan(0);
  expect(proxy.messages().filter((number) => !beforeLogin.includes(number))).toEqual([]);
  for (const [host, snapshot] of before)
    expect(await remainingDifferences(host, snapshot, { allowed: allowedDifferences }), `changed on ${host.name}`).toEqual([]);
});

it("goes on without them where the settings say so, and tells who was left out (onFailure: continue)", async () => {
  writeRack(checkout, sixHosts(wrongKey), { onFailure: "continue" });
  const { code, text } = await up();
  expect(code, text).toBe(0);
  expect(text).toMatch(/One pool: 1 node ·/);
  expect(text.match(/left out/g)).toHaveLength(5);
  expect(await withClient(nodeStates)).toEqual({ good: "ready" });
  expect((await checkout.spillway(["run", "--", "hostname"], { env: { SPILLWAY_ENV: environment } })).stdout).toBe("good\n");
});

it("takes the hosts that were mended by the next up", async () => {
  await lab.host("nosudo").exec("echo 'ops ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/ops; chmod 440 /etc/sudoers.d/ops");
  await lab.host("off").powerOn();
  const usable = sixHosts(lab.host("impostor").hostKey).filter(({ host }) => !["musl", "full"].includes(host.name));
  writeRack(checkout, usable, { onFailure: "stop" });
  const { code, text } = await up();
  expect(code, text).toBe(0);
  expect(await withClient(nodeStates)).toEqual({ good: "ready", impostor: "ready", nosudo: "ready", off: "ready" });
});

it("says so when the connection breaks in the middle of the bundle, and the next up finishes and leaves no half of it", async () => {
  const impostor = lab.host("impostor");
  const withoutIt = sixHosts(impostor.hostKey).filter(({ host }) => ["good", "nosudo", "off"].includes(host.name));
  writeRack(checkout, withoutIt);
  expect((await up()).code).toBe(0);

  writeRack(checkout, [...withoutIt, ...sixHosts(impostor.hostKey).filter(({ host }) => host.name === "impostor")]);
  proxy.cutAfter(20_000_000);
  const broken = await up();
  expect(broken.code, broken.text).toBe(1);
  expect(broken.text).toMatch(/machine impostor .*the SSH connection broke/);
  await waitUntil("the upload's command has ended", async () => !impostor.processes().some(({ command }) => command.includes("bundles")));
  proxy.cutAfter(undefined);
  const mended = await up();
  expect(mended.code, mended.text).toBe(0);
  expect(await withClient(nodeStates)).toMatchObject({ impostor: "ready" });
  expect((await impostor.read("ls /opt/spillway/bundles")).trim().split("\n")).toHaveLength(1);
});

it("leaves nothing on any host after destroy", async () => {
  const { code, stdout, stderr } = await checkout.spillway(["destroy", environment, "--yes"]);
  expect(code, stdout + stderr).toBe(0);
  for (const [host, snapshot] of before) {
    const sudoRight = /\/etc\/sudoers\.d/;
    expect(await remainingDifferences(host, snapshot, { allowed: [...allowedDifferences, sudoRight] }), `left on ${host.name}`).toEqual([]);
  }
});
