import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { type SshHost, sshHost } from "./testing/ssh-host.ts";
import { keepTunnel, type TunnelState } from "./tunnel.ts";
import { openTunnelLine, type TunnelEnds, type TunnelLine } from "./tunnel-line.ts";

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

async function aHost(options: Parameters<typeof sshHost>[0] = {}): Promise<SshHost> {
  const host = await sshHost(options);
  closers.push(() => host.stop());
  return host;
}

/** Stands for the master: answers each connection with its word. */
async function answering(word: string): Promise<{ host: string; port: number }> {
  const server = createServer((socket) => void socket.end(word).on("error", () => undefined));
  closers.push(() => server.close());
  return await listening(server);
}

async function listening(server: Server): Promise<{ host: string; port: number }> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

async function freePort(): Promise<number> {
  const server = createServer();
  const { port } = await listening(server);
  server.close();
  await once(server, "close");
  return port;
}

/** What is heard on the machine's end; empty when it is cut off without a word, undefined when nothing listens. */
async function heardAt(port: number): Promise<string | undefined> {
  const socket: Socket = connect({ host: "127.0.0.1", port });
  const words: Buffer[] = [];
  socket.on("data", (chunk) => words.push(chunk));
  const [error] = await new Promise<[Error?]>((resolve) => {
    socket.once("error", (failure) => resolve([failure]));
    socket.once("close", () => resolve([]));
  });
  return error !== undefined && (error as NodeJS.ErrnoException).code === "ECONNREFUSED" ? undefined : Buffer.concat(words).toString();
}

async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 8000;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await delay(5);
  }
}

async function aLine(ends: TunnelEnds): Promise<TunnelLine> {
  const line = await openTunnelLine(ends);
  closers.push(() => line.close());
  return line;
}

it("leads from the machine's loopback to the master, until it is closed", async () => {
  const { machine } = await aHost();
  const port = await freePort();
  const line = await aLine({ machine, port, to: await answering("the master") });
  expect(await heardAt(port)).toBeUndefined();
  expect(await line.listen()).toBe("held");
  expect(await heardAt(port)).toBe("the master");
  line.close();
  await line.ended;
  await until("the port is free", async () => (await heardAt(port)) === undefined);
});

it("cuts off at once whoever dials while the master can't be reached", async () => {
  const { machine } = await aHost();
  const port = await freePort();
  const line = await aLine({ machine, port, to: { host: "127.0.0.1", port: await freePort() } });
  await line.listen();
  expect(await heardAt(port)).toBe("");
});

it("leaves the port to whoever has it, and takes it when that one has gone", async () => {
  const { machine } = await aHost();
  const port = await freePort();
  const first = await aLine({ machine, port, to: await answering("first") });
  const second = await aLine({ machine, port, to: await answering("second") });
  expect(await first.listen()).toBe("held");
  expect(await second.listen()).toBe("taken");
  expect(await second.listen()).toBe("taken");
  expect(await heardAt(port)).toBe("first");
  first.close();
  await until("the second one has it", async () => (await second.listen()) === "held");
  expect(await heardAt(port)).toBe("second");
});

it("says so, with the machine's name, when the SSH server forbids it", async () => {
  const { machine } = await aHost({ forbidsTunnels: true });
  const line = await aLine({ machine, port: await freePort(), to: { host: "127.0.0.1", port: 1 }, holder: "here" });
  await expect(line.listen()).rejects.toMatchObject({
    code: "forwarding-refused",
    where: expect.stringContaining("machine h1"),
    hint: expect.stringContaining("AllowTcpForwarding"),
  });
});

it("ends what goes through it when it is closed, on the master's side too", async () => {
  const { machine } = await aHost();
  const port = await freePort();
  const ended: string[] = [];
  const silent = createServer((socket) => void socket.on("error", () => undefined).on("close", () => ended.push("master")));
  closers.push(() => silent.close());
  const line = await aLine({ machine, port, to: await listening(silent) });
  await line.listen();
  const socket = connect({ host: "127.0.0.1", port }).on("error", () => undefined);
  socket.on("close", () => ended.push("agent")).resume();
  await once(silent, "connection");
  line.close();
  await until("both sides have seen it", () => ended.length === 2);
  expect(ended.toSorted()).toEqual(["agent", "master"]);
});

it("carries no more connections than an agent could want", async () => {
  const { machine } = await aHost();
  const port = await freePort();
  const silent = createServer((socket) => void socket.on("error", () => undefined));
  closers.push(() => silent.close());
  const line = await aLine({ machine, port, to: await listening(silent) });
  await line.listen();
  const dialled = Array.from({ length: 70 }, () => connect({ host: "127.0.0.1", port }));
  closers.push(() => {
    for (const socket of dialled) socket.destroy();
  });
  for (const socket of dialled) socket.on("error", () => undefined).resume();
  await until("those above the limit are cut off", () => dialled.filter(({ closed }) => closed).length === 6);
  const carried = await new Promise<number>((resolve) => silent.getConnections((_error, count) => resolve(count)));
  expect(carried).toBe(64);
});

it("is there again after its line broke, and says what became of it", async () => {
  const host = await aHost();
  const port = await freePort();
  const ends = { machine: host.machine, port, to: await answering("the master"), holder: "here" };
  const told: TunnelState["kind"][] = [];
  const tunnel = keepTunnel({ connect: () => openTunnelLine(ends), onState: ({ kind }) => told.push(kind) });
  closers.push(() => tunnel.close());
  await until("it is open", () => tunnel.state().kind === "open");
  host.cut();
  await until("it is open again", () => told.length === 3);
  expect(told).toEqual(["open", "lost", "open"]);
  expect(await heardAt(port)).toBe("the master");
});
