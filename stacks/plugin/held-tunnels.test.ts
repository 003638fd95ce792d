import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type SshHost, sshHost } from "../../bootstrap/ssh/testing/ssh-host.ts";
import { holdTunnel, releaseTunnels } from "./held-tunnels.ts";

const endpoint = "https://127.0.0.1:1";
let hosts: SshHost[] = [];
let told: string[] = [];
let port: number;
beforeEach(async () => {
  [hosts, told] = [[], []];
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  ({ port } = server.address() as AddressInfo);
  server.close();
  await once(server, "close");
});
afterEach(async () => {
  releaseTunnels();
  for (const host of hosts) await host.stop();
});

async function aHost(options: Parameters<typeof sshHost>[0] = {}): Promise<SshHost> {
  const host = await sshHost(options);
  hosts.push(host);
  return host;
}

const context = (signal = new AbortController().signal) => ({ signal, status: (text: string) => told.push(text) });

it("is there once the step that wants it goes on, and one is enough for all steps of a machine", async () => {
  const host = await aHost();
  await holdTunnel({ machine: host.machine, endpoint, port }, context());
  const { logins } = host;
  const before = logins();
  await holdTunnel({ machine: host.machine, endpoint, port }, context());
  expect(logins()).toBe(before);
  expect(told[0]).toBe("opening the tunnel to the master");
});

it("fails at once, by name, on a machine whose SSH server forbids tunnels", async () => {
  const { machine } = await aHost({ name: "base-1", forbidsTunnels: true });
  const opening = holdTunnel({ machine, endpoint, port }, context());
  await expect(opening).rejects.toMatchObject({ code: "forwarding-refused", where: expect.stringContaining("machine base-1") });
});

it("sends nothing to a machine that has another host key", async () => {
  const { machine } = await aHost();
  const opening = holdTunnel({ machine: { ...machine, hostKey: `SHA256:${"A".repeat(43)}` }, endpoint, port }, context());
  await expect(opening).rejects.toMatchObject({ code: "host-key-mismatch" });
});

it("waits for a machine that does not answer as long as it may, and ends with why", async () => {
  const host = await aHost({ onConnect: (connection) => connection.end() });
  const opening = holdTunnel({ machine: host.machine, endpoint, port, patienceMs: 400 }, context());
  await expect(opening).rejects.toMatchObject({ code: "ssh-unreachable" });
});

it("ends when it is cancelled", async () => {
  const host = await aHost({ onConnect: (connection) => connection.end() });
  const opening = holdTunnel({ machine: host.machine, endpoint, port }, context(AbortSignal.abort()));
  await expect(opening).rejects.toMatchObject({ code: "cancelled" });
});
