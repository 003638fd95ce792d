/**
 * The one HTTPS listener: the API for people and programs, and agents' WebSockets, which need a client certificate of a
 * node of this pool. Everything is bounded, and whatever is sent to it ends in an error for the sender only.
 */
import { type IncomingMessage, STATUS_CODES } from "node:http";
import { createServer, type Server } from "node:https";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { getRequestListener } from "@hono/node-server";
import { WebSocketServer } from "ws";
import { SpillwayError } from "../contract/errors.ts";
import { bulkPath, controlPath, maxControlFrameBytes, maxDataBytes } from "../contract/wire.ts";
import { bodyOf } from "./api/answer.ts";
import type { Api } from "./api/context.ts";
import { type OwnNames, refusedHeaders } from "./api/guard.ts";
import type { KeyedCertificate } from "./auth/certificates.ts";
import { certifiedNode } from "./auth/join.ts";
import { type Peer, peerOf } from "./auth/peer.ts";
import { assertWritable, type Leader } from "./leader.ts";
import { serveBulk } from "./lifecycle/bulk.ts";
import { serveControl } from "./lifecycle/control.ts";
import type { Log } from "./log.ts";

const joinHint = "A node gets one by joining with a token.";
const maxConnections = 5000;
const handshakeTimeoutMs = 10_000;
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 30_000;
const idleTimeoutMs = 60_000;
const maxHeaderBytes = 16 * 1024;

export interface MasterServer {
  readonly port: number;
  /** Takes a new certificate into use for new connections. */
  renewCertificate(certificate: KeyedCertificate): void;
  /** Stops listening and ends every connection. */
  close(): Promise<void>;
}

/** Listens, or throws a SpillwayError `port-in-use` or `cannot-listen`. Until `leader` returns one, agents are refused. */
export async function startServer(options: {
  readonly listen: { readonly host: string; readonly port: number };
  readonly certificate: KeyedCertificate;
  readonly rootCa: string;
  readonly own: OwnNames;
  readonly api: Api;
  readonly leader: () => Leader;
  readonly log: Log;
}): Promise<MasterServer> {
  const { api, own, log, leader } = options;
  const tls = (certificate: KeyedCertificate) => ({ cert: certificate.certificate, key: certificate.key, ca: [options.rootCa] });
  const answer = getRequestListener(api.fetch);
  const server = createServer(
    {
      ...tls(options.certificate),
      minVersion: "TLSv1.2",
      requestCert: true,
      // Who has no certificate of ours is a client of the API; whether an agent has one is looked at where it matters.
      rejectUnauthorized: false,
      handshakeTimeout: handshakeTimeoutMs,
      headersTimeout: headersTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: idleTimeoutMs,
      maxHeaderSize: maxHeaderBytes,
      keepAlive: true,
      keepAliveInitialDelay: idleTimeoutMs,
    },
    (request, response) => void answer(request, response),
  );
  server.maxConnections = maxConnections;

  const control = new WebSocketServer({ noServer: true, maxPayload: maxControlFrameBytes, perMessageDeflate: false });
  const bulk = new WebSocketServer({ noServer: true, maxPayload: 2 * maxDataBytes, perMessageDeflate: false });
  // Malformed handshakes are answered by ws itself; without this they would only be cut off.
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => socket.destroy());
    let accepted: { path: string; peer: Peer };
    try {
      accepted = acceptAgent(request, own, leader);
    } catch (error) {
      refuse(socket, error, log);
      return;
    }
    const { path, peer } = accepted;
    if (path === controlPath) control.handleUpgrade(request, socket, head, (webSocket) => serveControl(leader(), webSocket, peer));
    else bulk.handleUpgrade(request, socket, head, (webSocket) => serveBulk(leader(), webSocket, peer));
  });
  server.on("clientError", (_error, socket) => {
    if (socket.writable) socket.end("HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n");
    else socket.destroy();
  });
  server.on("tlsClientError", (_error, socket) => socket.destroy());

  await listen(server, options.listen);
  const address = server.address();
  return {
    port: typeof address === "object" && address !== null ? address.port : options.listen.port,
    renewCertificate: (certificate) => server.setSecureContext(tls(certificate)),
    async close() {
      const { promise, resolve } = Promise.withResolvers<void>();
      server.close(() => resolve());
      for (const webSocket of [...control.clients, ...bulk.clients]) webSocket.close(1001, "the master is shutting down");
      // One turn of the loop for what is still to be sent, then no more patience.
      setTimeout(() => {
        for (const webSocket of [...control.clients, ...bulk.clients]) webSocket.terminate();
        server.closeAllConnections();
      }, 100).unref();
      await promise;
    },
  };
}

/** Throws a SpillwayError that says why this upgrade is refused. */
function acceptAgent(request: IncomingMessage, own: OwnNames, leader: () => Leader): { path: string; peer: Peer } {
  const refused = refusedHeaders({ host: request.headers.host, origin: request.headers.origin }, own);
  if (refused !== undefined) throw new SpillwayError(refused, { code: "forbidden", hint: `Use ${own.origin}.` });
  const path = (request.url ?? "").split("?")[0] ?? "";
  if (path !== controlPath && path !== bulkPath)
    throw new SpillwayError("nothing to connect to here", {
      code: "not-found",
      hint: `Agents connect to ${controlPath} and ${bulkPath}.`,
    });
  const peer = peerOf(request.socket as TLSSocket);
  // On control an agent whose certificate counts no more is told so; refused without a word it would keep its tasks for ever.
  if (peer === undefined || path === bulkPath) certifiedNode(leader(), peer);
  assertWritable(leader());
  if (peer === undefined) throw new SpillwayError("a client certificate is needed", { code: "forbidden", hint: joinHint });
  return { path, peer };
}

function refuse(socket: Duplex, error: unknown, log: Log): void {
  const told =
    error instanceof SpillwayError ? error : new SpillwayError("the master failed", { code: "internal", hint: "See the master's log." });
  if (told !== error) log("error", "server", `upgrade: ${String(error)}`);
  const status = told.code === "forbidden" ? 403 : told.code === "not-found" ? 404 : 503;
  const body = JSON.stringify(bodyOf(told));
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}

function listen(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", (cause: NodeJS.ErrnoException) => {
    const inUse = cause.code === "EADDRINUSE";
    reject(
      new SpillwayError(inUse ? "the port is in use by another process" : `can't listen: ${cause.message}`, {
        code: inUse ? "port-in-use" : "cannot-listen",
        where: `${host}:${port}`,
        hint: inUse
          ? `Find it with: ss -ltnp 'sport = :${port}'. Stop it, or choose another port.`
          : "Choose an address of this computer and a port it may use.",
        cause,
      }),
    );
  });
  server.listen(port, host, () => resolve());
  return promise;
}
