import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { afterEach, beforeEach, expect, it } from "vitest";
import { addressOf } from "../../agent/contract/endpoint.ts";
import { noResources } from "../../agent/contract/resources.ts";
import type { AgentMessage } from "../../agent/contract/wire.ts";
import { type Control, connectControl } from "../../agent/node/control.ts";
import { createLog } from "../../agent/node/log.ts";
import { type FakeMaster, fakeMaster } from "../../agent/node/testing/fake-master.ts";
import { until } from "../../agent/node/testing/until.ts";
import { type SshHost, sshHost } from "../../bootstrap/ssh/testing/ssh-host.ts";
import { openTunnelLine } from "../../bootstrap/ssh/tunnel-line.ts";
import { holdTunnel, releaseTunnels } from "../plugin/held-tunnels.ts";
import { heldTunnels, type Tunnels } from "./tunnels.ts";

let master: FakeMaster;
let host: SshHost;
let port: number;
let tunnels: Tunnels;
let agent: Control | undefined;
let told: string[];

beforeEach(async () => {
  [master, host] = await Promise.all([fakeMaster(), sshHost({ name: "base-1" })]);
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  ({ port } = server.address() as AddressInfo);
  server.close();
  await once(server, "close");
  told = [];
  const to = addressOf(master.endpoint);
  tunnels = heldTunnels({
    connect: (machine) => openTunnelLine({ machine, port, to, holder: "here" }),
    tell: ({ kind }) => told.push(kind),
    isEnding: () => false,
  });
});
afterEach(async () => {
  agent?.close();
  agent = undefined;
  releaseTunnels();
  tunnels.close();
  await Promise.all([host.stop(), master.close()]);
});

const facts = {
  hostname: "h",
  os: "linux",
  arch: "x64",
  kernel: "6",
  bootId: "b",
  cpuCount: 1,
  memoryMiB: 1,
  diskFreeMiB: 1,
  enforced: [],
};
const hello: AgentMessage = { type: "hello", wire: 1, agentVersion: "0", bundle: "b", facts, measured: noResources, tasks: [] };

/** An agent on that machine, which has no other way to its master than the tunnel. */
async function anAgent(): Promise<void> {
  agent = connectControl({
    config: { ...(await master.node("base-1")), dialVia: { host: "127.0.0.1", port } },
    hello: async () => () => hello,
    onMessage: () => undefined,
    log: createLog("node/base-1", () => undefined),
    timing: { shortestPauseMs: 10, longestPauseMs: 50 },
  });
}

const hellos = () => master.heard.filter(({ type }) => type === "hello").length;

it("an agent that can't dial its master reaches it by the tunnel, and again after the line broke", async () => {
  await anAgent();
  tunnels.want([host.machine]);
  await until("the agent is there", () => hellos() === 1);
  host.cut();
  await until("the agent is there again", () => hellos() === 2);
  await until("both are told", () => told.length === 2);
  expect(told).toEqual(["burst-tunnel-lost", "burst-tunnel-back"]);
});

it("goes over from the process that made the node to the burster by no more than connecting again", async () => {
  const context = { signal: new AbortController().signal, status: () => undefined };
  await holdTunnel({ machine: host.machine, endpoint: master.endpoint, port }, context);
  await anAgent();
  await until("the agent is there", () => hellos() === 1);
  tunnels.want([host.machine]);
  // The burster has logged in as well by then, and found the port taken.
  await until("both are at it", () => host.logins() >= 2);
  releaseTunnels();
  await until("the agent is there again", () => hellos() === 2);
  expect(told).toEqual([]);
});
