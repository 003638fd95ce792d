import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { AgentConfig } from "../contract/agent-config.ts";
import { bulkPath, controlPath } from "../contract/wire.ts";
import { dialMaster } from "./dial.ts";
import { joinPool } from "./join.ts";
import { renewCertificate } from "./renew.ts";
import { type FakeMaster, fakeMaster } from "./testing/fake-master.ts";

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).toReversed()) await close();
});

const name = "pool.example.org";
/** A name that nobody can resolve here, at a port where nothing listens: only the way round leads to it. */
const endpoint = `https://${name}:1`;

async function aMaster(dns?: string): Promise<FakeMaster> {
  const master = await fakeMaster(dns === undefined ? {} : { dns });
  closers.push(() => master.close());
  return master;
}

/** An agent's configuration that goes round to the master. */
async function viaLoopback(master: FakeMaster, over: { endpoint?: string; joined?: boolean } = {}): Promise<AgentConfig> {
  const { joined = true, ...rest } = over;
  const { port } = new URL(master.endpoint);
  return { ...(await master.node("m1", { joined })), endpoint, dialVia: { host: "127.0.0.1", port: Number(port) }, ...rest };
}

test("a node joins and renews at the place it is led through, at a master that has its own name", async () => {
  const master = await aMaster(name);
  const config = await viaLoopback(master, { joined: false });
  expect(await joinPool({ config, force: false, readToken: async () => "the-token" })).toContain(`m1 has joined ${endpoint}`);
  await renewCertificate(config);
  expect(master.requests.map(({ path, peer }) => [path, peer])).toEqual([
    ["/v1/join", undefined],
    ["/v1/renew", "m1"],
  ]);
});

test.each([controlPath, bulkPath])("the connection %s goes there too", async (path) => {
  const master = await aMaster(name);
  const socket = dialMaster(await viaLoopback(master), path);
  await once(socket, "open");
  expect(master.sockets[path === controlPath ? "control" : "bulk"]).toHaveLength(1);
  socket.terminate();
});

test("a master that is known by its address is verified by that", async () => {
  const master = await aMaster();
  const config = await viaLoopback(master, { endpoint: "https://127.0.0.1:1" });
  expect(await renewCertificate(config)).toContain("is good until");
  await expect(renewCertificate({ ...config, endpoint: "https://192.0.2.11:7070" })).rejects.toThrow(
    "192.0.2.11 is not in the cert's list",
  );
});

test("who has only the name of the place in between is no master, and is told nothing", async () => {
  const master = await aMaster();
  const config = await viaLoopback(master, { joined: false });
  await expect(joinPool({ config, force: false, readToken: async () => "the-token" })).rejects.toMatchObject({
    code: "master-unreachable",
  });
  expect(master.requests).toEqual([]);
  const socket = dialMaster(await viaLoopback(master), controlPath);
  const [error] = await once(socket, "error");
  expect(error).toMatchObject({ code: "ERR_TLS_CERT_ALTNAME_INVALID" });
});

test("the request names the endpoint as its host, as the master wants it", async () => {
  const heard: Buffer[] = [];
  const master = await aMaster(name);
  const { port } = new URL(master.endpoint);
  let seen = "";
  master.state.answer = async (body) => {
    seen = master.hosts.at(-1) ?? "";
    return await master.accept(body);
  };
  // What passes in between is sealed: not even the request's first word can be read there.
  const between = createServer((socket: Socket) => {
    socket.on("data", (chunk) => heard.push(chunk));
    const on = connect(Number(port), "127.0.0.1");
    socket.pipe(on).pipe(socket);
    socket.on("error", () => on.destroy());
    on.on("error", () => socket.destroy());
  });
  between.listen(0, "127.0.0.1");
  await once(between, "listening");
  closers.push(async () => between.close());
  const dialVia = { host: "127.0.0.1", port: (between.address() as AddressInfo).port };
  await renewCertificate({ ...(await viaLoopback(master)), dialVia });
  expect(seen).toBe(`${name}:1`);
  expect(Buffer.concat(heard).toString("latin1")).not.toContain("/v1/renew");
});
