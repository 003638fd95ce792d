/** For tests: an HTTPS server on loopback that answers the master's routes as a test says. */
import type { IncomingMessage, ServerResponse } from "node:http";
import { createServer, type Server } from "node:https";
import { json as readJson } from "node:stream/consumers";
import { type JobDetail, type JobState, type JobView, jobView } from "../../agent/contract/workload.ts";
import { makeServerCertificate, type ServerCertificate } from "./certificate.ts";

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly token: string | undefined;
  readonly body: unknown;
}

/** Answers by returning a body (200), or writes the response itself and returns undefined. */
export type FakeHandler = (request: FakeRequest, response: ServerResponse) => unknown;

export interface FakeMaster {
  readonly url: string;
  readonly ca: string;
  readonly requests: readonly FakeRequest[];
  /** Replaces the handler. */
  answer(handler: FakeHandler): void;
  /** Ends all connections and stops listening; `start` listens again on the same port. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function startFakeMaster(handler: FakeHandler, given?: ServerCertificate): Promise<FakeMaster> {
  const certificate = given ?? (await makeServerCertificate());
  const requests: FakeRequest[] = [];
  let current = handler;
  let port = 0;
  let server: Server | undefined;

  async function onRequest(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(incoming.url ?? "/", "https://fake");
    const hasBody = Number(incoming.headers["content-length"] ?? 0) > 0;
    const request: FakeRequest = {
      method: incoming.method ?? "",
      path: url.pathname,
      query: url.searchParams,
      token: incoming.headers.authorization?.replace("Bearer ", ""),
      body: hasBody ? await readJson(incoming) : undefined,
    };
    requests.push(request);
    const body = await current(request, response);
    if (body !== undefined) send(response, 200, body);
  }

  async function start(): Promise<void> {
    server = createServer({ cert: certificate.cert, key: certificate.key }, (incoming, response) => {
      onRequest(incoming, response).catch((error: unknown) => send(response, 500, { error: { code: "bug", message: String(error) } }));
    });
    const listening = server;
    await new Promise<void>((done) => listening.listen(port, "127.0.0.1", done));
    const address = listening.address();
    if (address !== null && typeof address === "object") port = address.port;
  }

  async function stop(): Promise<void> {
    const stopping = server;
    if (stopping === undefined) return;
    server = undefined;
    stopping.closeAllConnections();
    await new Promise((done) => stopping.close(done));
  }

  await start();
  return { url: `https://127.0.0.1:${port}`, ca: certificate.ca, requests, answer: (next) => void (current = next), start, stop };
}

export function send(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body));
}

export function sendError(response: ServerResponse, status: number, code: string, message: string, hint?: string): void {
  send(response, status, { error: { code, message, hint } });
}

export function sendLines(response: ServerResponse, lines: readonly unknown[]): void {
  response.writeHead(200, { "content-type": "application/x-ndjson" });
  for (const line of lines) response.write(`${JSON.stringify(line)}\n`);
}

/** A log line as the master sends it. */
export function logLineOf(channel: "stdout" | "stderr", text: string): { channel: string; data: string } {
  return { channel, data: Buffer.from(text).toString("base64") };
}

/** A job of one task as the master tells it. */
export function aJob(overrides: Partial<JobDetail> & { readonly state: JobState }): JobDetail {
  return {
    id: "j1",
    spec: {
      command: ["true"],
      env: {},
      resources: { cpu: 1000, memory: 256, disk: 0, gpus: [] },
      priority: 50,
      retries: 0,
      count: 1,
      graceMs: 10_000,
    },
    reason: "as the test says",
    submittedAt: 1_000,
    counts: { pending: 0, active: 0, succeeded: 0, failed: 0, cancelled: 0 },
    indexes: [{ index: 0, state: "pending", attempts: [] }],
    ...overrides,
  };
}

/** The same without its indexes. */
export function viewOf(detail: JobDetail): JobView {
  return jobView.parse(detail);
}
