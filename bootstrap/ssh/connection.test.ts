import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import ssh2 from "ssh2";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { openConnection, presentedHostKeys, type SshAddress } from "./connection.ts";
import { fingerprintOf } from "./host-key.ts";
import { connectSession } from "./session.ts";
import { sshHost } from "./testing/ssh-host.ts";

const where = "machine m1";
const ecPem = (curve: string) =>
  generateKeyPairSync("ec", { namedCurve: curve }).privateKey.export({ type: "sec1", format: "pem" }).toString();
const rsaPem = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ type: "pkcs1", format: "pem" }).toString();
const clientKey = ecPem("prime256v1");

let directory: string;
const open = new Set<{ close(): void }>();
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "spillway-connection-"));
  writeFileSync(join(directory, "key"), clientKey);
});
afterEach(() => {
  for (const one of open) one.close();
  open.clear();
  vi.unstubAllEnvs();
});
afterAll(() => rmSync(directory, { recursive: true }));

/** An SSH server that lets our key in, counts the logins that are tried, and forwards where it is asked to. */
async function aServer(hostKeys: string[]): Promise<{ port: number; logins: () => number; cut: () => void; close: () => void }> {
  let logins = 0;
  const clients = new Set<ssh2.Connection>();
  const server = new ssh2.Server({ hostKeys }, (client) => {
    clients.add(client);
    client.on("close", () => clients.delete(client));
    client.on("error", () => undefined);
    client.on("authentication", (context) => {
      logins += 1;
      if (context.method === "publickey") context.accept();
      else context.reject(["publickey"]);
    });
    client.on("ready", () => {
      client.on("tcpip", (accept, _reject, to) => {
        const channel = accept();
        const socket = connect(to.destPort, to.destIP);
        channel.pipe(socket).pipe(channel);
        socket.on("error", () => channel.close());
        channel.on("error", () => socket.destroy());
      });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  open.add(server);
  const cut = () => {
    for (const client of clients) client.end();
  };
  return { port: (server.address() as AddressInfo).port, logins: () => logins, cut, close: () => server.close() };
}

function address(port: number, over: Partial<SshAddress> = {}): SshAddress {
  return { host: "127.0.0.1", port, user: "ops", credential: { kind: "file", path: join(directory, "key") }, ...over };
}

function fingerprint(pem: string): string {
  const key = ssh2.utils.parseKey(pem);
  if (key instanceof Error) throw key;
  return fingerprintOf(key.getPublicSSH());
}

it("takes the pin of any of a host's keys, also of one it would not present first", async () => {
  const ecdsa = ecPem("prime256v1");
  const { port } = await aServer([ecdsa, rsaPem]);
  for (const key of [ecdsa, rsaPem]) {
    const connection = await openConnection(address(port, { hostKey: fingerprint(key) }), where);
    connection.close();
  }
});

it("refuses a key that is not the pinned one, without a login", async () => {
  const presented = ecPem("prime256v1");
  const { port, logins } = await aServer([presented]);
  const hostKey = fingerprint(ecPem("prime256v1"));
  await expect(openConnection(address(port, { hostKey }), where)).rejects.toMatchObject({
    code: "host-key-mismatch",
    message: expect.stringContaining(`the host key is ${fingerprint(presented)}, expected ${hostKey} (pinned)`),
  });
  expect(logins()).toBe(0);
});

it("sends nothing to a host without a pin", async () => {
  await expect(openConnection(address(1), where)).rejects.toMatchObject({ code: "host-key-unknown" });
});

it("reads the keys that a host presents without a login", async () => {
  const ecdsa = ecPem("prime256v1");
  const { port, logins } = await aServer([rsaPem, ecdsa]);
  expect(await presentedHostKeys(address(port), where)).toEqual([ecdsa, rsaPem].map(fingerprint));
  expect(logins()).toBe(0);
});

it("reaches a host through a jump host, whose key is pinned too", async () => {
  const [near, far] = [ecPem("prime256v1"), ecPem("prime256v1")];
  const [jump, host] = [await aServer([near]), await aServer([far])];
  const through = { ...address(jump.port), hostKey: fingerprint(near) };
  const connection = await openConnection(address(host.port, { hostKey: fingerprint(far), jump: through }), where);
  expect(host.logins()).toBeGreaterThan(0);
  connection.close();
  const wrong = { ...through, hostKey: fingerprint(far) };
  await expect(openConnection(address(host.port, { hostKey: fingerprint(far), jump: wrong }), where)).rejects.toMatchObject({
    code: "host-key-mismatch",
    where: expect.stringContaining("jump host 127.0.0.1"),
  });
});

it("goes through a chain of jump hosts, each logged in to once for all hosts behind it, and again after the last has gone", async () => {
  const [outer, inner, far] = [ecPem("prime256v1"), ecPem("prime256v1"), ecPem("prime256v1")];
  const [first, second, host] = [await aServer([outer]), await aServer([inner]), await aServer([far])];
  const chain = {
    ...address(second.port),
    hostKey: fingerprint(inner),
    jump: { ...address(first.port), hostKey: fingerprint(outer) },
  };
  const perLogin = await loginsOf(first.port, outer, first.logins);
  const before = first.logins();
  const many = await Promise.all(
    Array.from({ length: 12 }, () => openConnection(address(host.port, { hostKey: fingerprint(far), jump: chain }), where)),
  );
  expect(first.logins() - before).toBe(perLogin);
  expect(second.logins()).toBe(perLogin);
  for (const connection of many) {
    connection.close();
    connection.close();
  }
  const again = await openConnection(address(host.port, { hostKey: fingerprint(far), jump: chain }), where);
  expect(first.logins() - before).toBe(2 * perLogin);
  again.close();
});

/** How many times a client asks in one login: a key is shown before it is used. */
async function loginsOf(port: number, pem: string, logins: () => number): Promise<number> {
  (await openConnection(address(port, { hostKey: fingerprint(pem) }), where)).close();
  return logins();
}

it("opens a jump host's connection anew when it broke, and says which of the hops failed", async () => {
  const [near, far] = [ecPem("prime256v1"), ecPem("prime256v1")];
  const [jump, host] = [await aServer([near]), await aServer([far])];
  const through = { ...address(jump.port), hostKey: fingerprint(near) };
  const to = (over: Partial<SshAddress> = {}) =>
    openConnection(address(host.port, { hostKey: fingerprint(far), jump: through, ...over }), where);
  const first = await to();
  const broken = new Promise((done) => first.client.once("close", () => done(undefined)));
  jump.cut();
  await broken;
  first.close();
  (await to()).close();
  const wrong = { ...through, jump: { ...through, hostKey: fingerprint(far) } };
  await expect(to({ jump: wrong })).rejects.toMatchObject({
    code: "host-key-mismatch",
    where: `jump host 127.0.0.1:${jump.port} on the way to jump host 127.0.0.1:${jump.port} on the way to machine m1`,
    hint: expect.stringContaining("jumps in the settings"),
  });
});

it("waits for a server that hangs up before the login or is not there yet", async () => {
  let refusals = 2;
  const host = await sshHost({ onConnect: (connection) => void (refusals-- > 0 && connection.end()) });
  open.add({ close: () => void host.stop() });
  const told: string[] = [];
  const session = await connectSession(host.machine, { forMs: 20_000, onWait: (text) => told.push(text) });
  expect(told).toHaveLength(2);
  expect(told[0]).toBe("waiting for SSH, 2nd try, hung up before the login");
  session.close();
});

it("says when a host that is behind a jump host can't be reached from there", async () => {
  const near = ecPem("prime256v1");
  const jump = await aServer([near]);
  const unreachable = await aServer([ecPem("prime256v1")]);
  unreachable.close();
  const through = { ...address(jump.port), hostKey: fingerprint(near) };
  const attempt = openConnection(address(unreachable.port, { hostKey: fingerprint(near), jump: through }), where);
  await expect(attempt).rejects.toMatchObject({ code: "ssh-unreachable" });
});

it.each([
  ["a key file that is not there", { kind: "file" as const, path: "/nowhere/key" }, "its SSH key /nowhere/key can't be read"],
  ["an ssh-agent that is not there", { kind: "agent" as const }, "SSH_AUTH_SOCK is not set"],
])("names %s", async (_what, credential, sentence) => {
  vi.stubEnv("SSH_AUTH_SOCK", "");
  await expect(openConnection(address(1, { hostKey: "SHA256:x", credential }), where)).rejects.toMatchObject({
    code: "credential-missing",
    message: expect.stringContaining(sentence),
  });
});

/** In OpenSSH's own format and in that of before. */
function anEncryptedKey(kind: "rsa" | "ed25519", passphrase: string): string {
  const path = join(directory, `encrypted-${kind}`);
  const pem = () =>
    generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({
      type: "pkcs1",
      format: "pem",
      cipher: "aes-256-cbc",
      passphrase,
    });
  const own = () => ssh2.utils.generateKeyPairSync("ed25519", { passphrase, cipher: "aes256-ctr", rounds: 16 }).private;
  let text: string | Buffer;
  do text = kind === "rsa" ? pem() : own();
  while (
    // Of ssh2 1.17's keys a few in a thousand can't be read again, not even by itself.
    ssh2.utils.parseKey(text, passphrase) instanceof Error
  );
  writeFileSync(path, text, { mode: 0o600 });
  return path;
}

it.each(["ed25519", "rsa"] as const)(
  "opens an encrypted %s key by the passphrase that is named, and says when it does not",
  async (kind) => {
    const hostPem = ecPem("prime256v1");
    const { port } = await aServer([hostPem]);
    const path = anEncryptedKey(kind, "open sesame");
    const to = (name: string) =>
      openConnection(
        address(port, { hostKey: fingerprint(hostPem), credential: { kind: "file", path, passphrase: { kind: "env", name } } }),
        where,
      );
    vi.stubEnv("WRONG", "close sesame");
    await expect(to("WRONG")).rejects.toMatchObject({ code: "credential-missing", message: expect.not.stringContaining("sesame") });
    await expect(to("NOT_SET")).rejects.toMatchObject({ code: "secret-missing" });
    vi.stubEnv("RIGHT", "open sesame");
    (await to("RIGHT")).close();
  },
);

it("tells an encrypted key by name, and what to do with it", async () => {
  const path = anEncryptedKey("rsa", "other sesame");
  await expect(openConnection(address(1, { hostKey: "SHA256:x", credential: { kind: "file", path } }), where)).rejects.toMatchObject({
    code: "credential-missing",
    message: expect.stringContaining("is encrypted"),
    hint: expect.stringContaining("ssh-add"),
  });
});
