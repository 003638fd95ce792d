/** An agent that does only what a test tells it: real TLS and WebSockets, no process behind its tasks. */
import WebSocket from "ws";
import type { NodeFacts, NodeNotice } from "../../contract/node.ts";
import type { Resources } from "../../contract/resources.ts";
import {
  type AgentMessage,
  type BulkRequest,
  bulkPath,
  bulkRequest,
  controlPath,
  encodeData,
  type LogChannel,
  type MasterMessage,
  masterMessage,
} from "../../contract/wire.ts";
import type { TaskReport, TaskSpec } from "../../contract/workload.ts";
import { bytesOf } from "../lifecycle/connection.ts";
import { createSigningRequest } from "./signing-request.ts";
import type { TestMaster } from "./test-master.ts";
import { until } from "./until.ts";

export interface FakeIdentity {
  readonly node: string;
  readonly key: string;
  readonly certificate: string;
}

export interface FakeAgent {
  readonly node: string;
  readonly received: MasterMessage[];
  /** The close code, once closed. */
  closeCode: number | undefined;
  send(message: AgentMessage): void;
  sendText(text: string): void;
  /** With what its cloud announces, if that is given. */
  heartbeat(notice?: NodeNotice | null): void;
  report(report: TaskReport): void;
  /** Waits for the `run` of a task. */
  run(taskId: string): Promise<TaskSpec>;
  /** Waits for a message of this type about this task. */
  told(type: "stop" | "recorded", taskId: string): Promise<MasterMessage>;
  /** Cuts the connection without a word. */
  cut(): void;
}

const facts: NodeFacts = {
  hostname: "h1",
  os: "linux",
  arch: "x64",
  kernel: "6.1.0",
  bootId: "b1",
  cpuCount: 4,
  memoryMiB: 8192,
  diskFreeMiB: 100_000,
  enforced: [],
};

/** Declares the node unless it is there, and joins with a fresh token. */
export async function joinNode(master: TestMaster, node: string): Promise<FakeIdentity> {
  const known = await master.call("GET", `/v1/nodes/${node}`);
  if (known.status === 404) await master.declare(node);
  const { body } = await master.call("POST", `/v1/nodes/${node}/join-token`);
  const { csr, key } = await createSigningRequest(node);
  const answer = await master.call("POST", "/v1/join", { body: { node, token: body.token, csr }, token: null });
  if (answer.status !== 200) throw new Error(`join: ${JSON.stringify(answer.body)}`);
  return { node, key, certificate: answer.body.certificate };
}

/** Connects and says hello; resolves when the master has answered with `welcome` or `refused`. Rejects when it is not let in. */
export async function connectAgent(
  master: TestMaster,
  identity: FakeIdentity,
  hello: { readonly tasks?: TaskReport[]; readonly measured?: Resources; readonly wire?: number } = {},
): Promise<FakeAgent> {
  const socket = dial(master, identity, controlPath);
  const agent = serve(socket, identity.node);
  await opened(socket);
  agent.send({
    type: "hello",
    wire: hello.wire ?? 1,
    agentVersion: "0.1.0",
    bundle: "sha256:test",
    facts,
    measured: hello.measured ?? { cpu: 4000, memory: 8192, disk: 0, gpus: [] },
    tasks: hello.tasks ?? [],
  });
  await until(
    "welcome or refused",
    () => agent.received.some(({ type }) => type === "welcome" || type === "refused" || type === "leave") || agent.closeCode !== undefined,
  );
  return agent;
}

/** A node that has joined and is connected. */
export async function joinedAgent(master: TestMaster, node: string): Promise<FakeAgent> {
  return connectAgent(master, await joinNode(master, node));
}

/** Rejects with "Unexpected server response: 403" and the like when the upgrade is refused. */
export function dial(master: TestMaster, identity: Partial<FakeIdentity>, path: string, headers: Record<string, string> = {}): WebSocket {
  return new WebSocket(`wss://127.0.0.1:${master.port}${path}`, {
    ca: master.ca,
    headers,
    ...(identity.key === undefined ? {} : { key: identity.key }),
    ...(identity.certificate === undefined ? {} : { cert: identity.certificate }),
  });
}

export function opened(socket: WebSocket): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.on("open", () => resolve());
  socket.on("error", reject);
  return promise;
}

/** A bulk connection that answers each log request with these pieces; `requests` is what the master has asked. */
export async function connectBulk(
  master: TestMaster,
  identity: FakeIdentity,
  answer: (request: Extract<BulkRequest, { type: "open-log" }>, bulk: FakeBulk) => void,
): Promise<FakeBulk> {
  const socket = dial(master, identity, bulkPath);
  const bulk: FakeBulk = {
    requests: [],
    data: (stream, channel, bytes) => socket.send(encodeData(stream, channel, Buffer.from(bytes))),
    skipped: (stream, channel, bytes) => socket.send(JSON.stringify({ type: "skipped", stream, channel, bytes })),
    end: (stream, error) => socket.send(JSON.stringify({ type: "end", stream, ...(error === undefined ? {} : { error }) })),
    sendRaw: (data) => socket.send(data),
    cut: () => socket.terminate(),
  };
  socket.on("message", (data) => {
    const request = bulkRequest.parse(JSON.parse(bytesOf(data).toString()));
    bulk.requests.push(request);
    if (request.type === "open-log") answer(request, bulk);
  });
  await opened(socket);
  socket.on("error", () => {});
  return bulk;
}

export interface FakeBulk {
  readonly requests: BulkRequest[];
  data(stream: number, channel: LogChannel, bytes: string | Uint8Array): void;
  skipped(stream: number, channel: LogChannel, bytes: number): void;
  end(stream: number, error?: string): void;
  sendRaw(data: Uint8Array): void;
  cut(): void;
}

function serve(socket: WebSocket, node: string): FakeAgent {
  const received: MasterMessage[] = [];
  const agent: FakeAgent = {
    node,
    received,
    closeCode: undefined,
    send: (message) => socket.send(JSON.stringify(message)),
    sendText: (text) => socket.send(text),
    heartbeat: (notice) => agent.send({ type: "heartbeat", sentAt: Date.now(), ...(notice === undefined ? {} : { notice }) }),
    report: (report) => agent.send({ type: "task", report }),
    async run(taskId) {
      return until(`run ${taskId} on ${node}`, () => {
        const message = received.find((one) => one.type === "run" && one.task.taskId === taskId);
        return message?.type === "run" && message.task;
      });
    },
    told: (type, taskId) => until(`${type} ${taskId} on ${node}`, () => received.find((one) => one.type === type && one.taskId === taskId)),
    cut: () => socket.terminate(),
  };
  socket.on("message", (data) => received.push(masterMessage.parse(JSON.parse(bytesOf(data).toString()))));
  socket.on("close", (code) => {
    agent.closeCode = code;
  });
  socket.on("error", () => {});
  return agent;
}
