/** A master for tests: TLS on a loopback port, the two WebSockets, /v1/join and /v1/renew; it records what it hears and says what it is told to. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { TLSSocket } from "node:tls";
import { type WebSocket, WebSocketServer } from "ws";
import type { AgentConfig } from "../../contract/agent-config.ts";
import {
  type AgentMessage,
  agentMessage,
  type BulkReply,
  bulkPath,
  bulkReply,
  controlPath,
  decodeData,
  type MasterMessage,
} from "../../contract/wire.ts";
import { testAuthority } from "./test-authority.ts";

export type FakeMaster = Awaited<ReturnType<typeof fakeMaster>>;

/** What the master answers to /v1/join or /v1/renew: HTTP status and body. */
type Answer = (body: { csr: string; token?: string }, peer: string | undefined) => Promise<{ status: number; body: unknown }>;

export async function fakeMaster(options: { heartbeatIntervalMs?: number; autoWelcome?: boolean; dns?: string } = {}) {
  const authority = await testAuthority();
  const own = await authority.issue("master", undefined, options.dns);
  const directory = mkdtempSync(join(tmpdir(), "spillway-fake-master-"));
  const heard: AgentMessage[] = [];
  const bulkHeard: BulkReply[] = [];
  const bulkBytes: { stream: number; channel: string; bytes: Buffer }[] = [];
  const requests: { path: string; peer: string | undefined; body: { csr: string; token?: string } }[] = [];
  /** The `Host` of each request. */
  const hosts: string[] = [];
  const sockets: { control: WebSocket[]; bulk: WebSocket[] } = { control: [], bulk: [] };
  const state = { autoWelcome: options.autoWelcome ?? true, autoRecord: false, answer: accept as Answer };

  async function accept(body: { csr: string }): Promise<{ status: number; body: unknown }> {
    const { certificate, expiresAt } = await authority.answer(body.csr);
    return { status: 200, body: { certificate, expiresAt } };
  }

  const server = createServer({ key: own.key, cert: own.chain, ca: authority.ca, requestCert: true, rejectUnauthorized: false });
  server.on("request", (request, response) => void serve(request, response));

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = JSON.parse(await text(request));
    const peer = peerOf(request.socket as TLSSocket);
    hosts.push(request.headers.host ?? "");
    requests.push({ path: request.url ?? "", peer, body });
    const answer = await state.answer(body, peer);
    response.writeHead(answer.status, { "content-type": "application/json" }).end(JSON.stringify(answer.body));
  }

  const webSockets = new WebSocketServer({ noServer: true });
  server.on("upgrade", (request, socket, head) => {
    const isControl = request.url === controlPath;
    if (peerOf(socket as TLSSocket) === undefined || !(isControl || request.url === bulkPath)) {
      socket.destroy();
      return;
    }
    webSockets.handleUpgrade(request, socket, head, isControl ? serveControl : serveBulk);
  });

  function serveControl(socket: WebSocket): void {
    sockets.control.push(socket);
    socket.on("message", (data) => {
      const message = agentMessage.parse(JSON.parse(data.toString()));
      heard.push(message);
      if (message.type === "hello" && state.autoWelcome) welcome(socket);
      if (message.type === "task" && message.report.finishedAt !== undefined && state.autoRecord) {
        socket.send(JSON.stringify({ type: "recorded", taskId: message.report.taskId }));
      }
    });
  }

  function welcome(socket: WebSocket): void {
    const heartbeatIntervalMs = options.heartbeatIntervalMs ?? 50;
    socket.send(JSON.stringify({ type: "welcome", wire: 1, heartbeatIntervalMs, masterTime: Date.now() }));
  }

  function serveBulk(socket: WebSocket): void {
    sockets.bulk.push(socket);
    socket.on("message", (data, isBinary) => {
      if (isBinary) bulkBytes.push(decodeData(data as Buffer));
      else bulkHeard.push(bulkReply.parse(JSON.parse(data.toString())));
    });
  }

  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const caFile = join(directory, "ca.pem");
  writeFileSync(caFile, authority.ca);

  return {
    authority,
    directory,
    endpoint: `https://127.0.0.1:${port}`,
    state,
    heard,
    bulkHeard,
    bulkBytes,
    requests,
    hosts,
    sockets,
    accept,
    /** A node's configuration, its state directory being there; with an identity unless told not to. */
    async node(name: string, given: { joined?: boolean; life?: { from: number; until: number } } = {}): Promise<AgentConfig> {
      const stateDir = join(directory, name);
      mkdirSync(stateDir, { recursive: true });
      if (given.joined ?? true) {
        const identity = await authority.issue(name, given.life);
        writeFileSync(join(stateDir, "key.pem"), identity.key, { mode: 0o600 });
        writeFileSync(join(stateDir, "cert.pem"), identity.chain);
      }
      return { node: name, endpoint: `https://127.0.0.1:${port}`, caFile, stateDir, executor: "process" };
    },
    /** To the newest control connection. */
    say: (message: MasterMessage | Record<string, unknown> | string) =>
      sockets.control.at(-1)?.send(typeof message === "string" ? message : JSON.stringify(message)),
    sayBulk: (message: unknown) => sockets.bulk.at(-1)?.send(JSON.stringify(message)),
    async close(): Promise<void> {
      for (const socket of [...sockets.control, ...sockets.bulk]) socket.terminate();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

/** The CN of a client certificate that the CA vouches for. */
function peerOf(socket: TLSSocket): string | undefined {
  const name = socket.authorized ? socket.getPeerCertificate().subject?.CN : undefined;
  return Array.isArray(name) ? name[0] : name;
}
