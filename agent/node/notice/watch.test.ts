import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { NodeNotice } from "../../contract/node.ts";
import { createLog } from "../log.ts";
import { until } from "../testing/until.ts";
import { awsNotices, awsPaths } from "./aws.ts";
import { azureNotices, azurePaths } from "./azure.ts";
import type { NoticeSource } from "./source.ts";
import { type NoticeWatch, watchNotices } from "./watch.ts";

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingMessage["headers"];
}

let server: Server;
let address: string;
let asked: Asked[];
/** By path; what is not there is 404. */
let answers: Map<string, (request: IncomingMessage, response: ServerResponse) => void>;
let watch: NoticeWatch | undefined;
let heard: (NodeNotice | null | undefined)[];
let told: string[];

beforeEach(async () => {
  asked = [];
  answers = new Map();
  heard = [];
  told = [];
  server = createServer((request, response) => {
    const path = request.url ?? "";
    asked.push({ method: request.method ?? "", path, headers: request.headers });
    const answer = answers.get(path);
    if (answer === undefined) response.writeHead(404).end("<html>404 - Not Found</html>");
    else answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  watch?.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const says = (path: string, body: string, status = 200) =>
  answers.set(path, (_request, response) => void response.writeHead(status).end(body));

function start(source: NoticeSource): NoticeWatch {
  const started: NoticeWatch = watchNotices({
    source: { ...source, pollMs: 5 },
    onChange: () => heard.push(started.current()),
    log: createLog("node/m1", (line) => told.push(line)),
  });
  watch = started;
  return started;
}

const timesAsked = (path: string) => asked.filter((one) => one.path === path).length;
const terminate = JSON.stringify({ action: "terminate", time: "2026-11-24T08:22:00Z" });

describe("EC2", () => {
  /** IMDSv2: without a token that counts there is no answer but 401. */
  function imds(tokens: readonly string[]): void {
    const made = [...tokens];
    let valid = "";
    answers.set(awsPaths.token, (request, response) => {
      valid = made.shift() ?? valid;
      response.writeHead(request.method === "PUT" ? 200 : 405).end(valid);
    });
    for (const path of [awsPaths.action, awsPaths.rebalance]) {
      answers.set(path, (request, response) => {
        const known = request.headers["x-aws-ec2-metadata-token"] === valid;
        response.writeHead(known ? 404 : 401).end();
      });
    }
  }

  test("an instance of which nothing is announced is known to be such, by one token", async () => {
    imds(["t1"]);
    const { current } = start(awsNotices(address));
    expect(current()).toBeUndefined();
    await until("it is asked again", () => timesAsked(awsPaths.rebalance) >= 3);
    expect(heard).toEqual([null]);
    expect(asked[0]).toMatchObject({
      method: "PUT",
      path: "/latest/api/token",
      headers: { "x-aws-ec2-metadata-token-ttl-seconds": "21600", "content-length": "0" },
    });
    expect(timesAsked(awsPaths.token)).toBe(1);
  });

  test("a token that has expired is made anew", async () => {
    imds(["t1", "t2"]);
    start(awsNotices(address));
    await until("it is asked", () => heard.length === 1);
    says(awsPaths.action, "", 401);
    await until("a new token", () => timesAsked(awsPaths.token) >= 2);
    says(awsPaths.action, terminate);
    await until("the notice", () => heard.length === 2);
    expect(heard[1]).toMatchObject({ kind: "reclaim" });
  });

  test("an interruption is told once however often it is read, before any advice, and its withdrawal too", async () => {
    imds(["t1"]);
    says(awsPaths.rebalance, '{"noticeTime":"2026-11-24T08:20:00Z"}');
    start(awsNotices(address));
    await until("the advice", () => heard.length === 1);
    says(awsPaths.action, terminate);
    await until("the interruption", () => heard.length === 2);
    const seen = timesAsked(awsPaths.action);
    await until("it is read again", () => timesAsked(awsPaths.action) >= seen + 3);
    answers.delete(awsPaths.action);
    answers.delete(awsPaths.rebalance);
    await until("nothing is announced any more", () => heard.length === 3);
    expect(heard.map((notice) => notice?.kind)).toEqual(["rebalance", "reclaim", undefined]);
    expect(heard[2]).toBeNull();
  });

  test("what can't be asked or understood is no news: the last word stands, and the fault is told once", async () => {
    imds(["t1"]);
    says(awsPaths.action, terminate);
    const { current } = start(awsNotices(address));
    await until("the interruption", () => heard.length === 1);
    says(awsPaths.action, "{ not json");
    const seen = timesAsked(awsPaths.action);
    await until("it is asked on", () => timesAsked(awsPaths.action) >= seen + 4);
    says(awsPaths.action, "busy", 503);
    await until("it is asked on", () => timesAsked(awsPaths.action) >= seen + 8);
    expect(current()).toMatchObject({ kind: "reclaim" });
    expect(heard).toHaveLength(1);
    expect(told.filter((line) => line.includes("EC2 instance metadata says nothing"))).toHaveLength(1);
    expect(told.join("")).not.toContain("t1");
  });
});

describe("Azure", () => {
  const preempt = (resource: string) =>
    JSON.stringify({
      DocumentIncarnation: 2,
      Events: [
        {
          EventId: "e1",
          EventType: "Preempt",
          ResourceType: "VirtualMachine",
          Resources: [resource],
          EventStatus: "Scheduled",
          NotBefore: "Tue, 24 Nov 2026 08:22:00 GMT",
        },
      ],
    });

  test("events are those of the VM's own name, which is asked once, with the header that Azure wants", async () => {
    says(azurePaths.name, "vm-1");
    says(azurePaths.events, preempt("vm-2"));
    start(azureNotices(address));
    await until("nothing is announced", () => heard.length === 1);
    says(azurePaths.events, preempt("vm-1"));
    await until("the eviction", () => heard.length === 2);
    expect(heard).toMatchObject([null, { kind: "reclaim", at: Date.UTC(2026, 10, 24, 8, 22) }]);
    expect(timesAsked(azurePaths.name)).toBe(1);
    expect(asked.every(({ headers }) => headers.metadata === "true")).toBe(true);
  });

  test("the first answer may take long; meanwhile nothing is known, and nothing is asked twice", async () => {
    says(azurePaths.name, "vm-1");
    const waiting: ServerResponse[] = [];
    answers.set(azurePaths.events, (_request, response) => void waiting.push(response));
    const { current } = start(azureNotices(address));
    await until("it is asked", () => waiting.length === 1);
    expect(current()).toBeUndefined();
    says(azurePaths.events, '{"DocumentIncarnation":0,"Events":[]}');
    waiting[0]?.end(preempt("vm-1"));
    await until("both answers", () => heard.length === 2);
    expect(waiting).toHaveLength(1);
    expect(heard).toMatchObject([{ kind: "reclaim" }, null]);
  });
});

test("a watch that is closed asks no more and tells nothing", async () => {
  const waiting: ServerResponse[] = [];
  answers.set(awsPaths.token, (_request, response) => void waiting.push(response));
  const { close } = start(awsNotices(address));
  await until("it is asked", () => waiting.length === 1);
  const gone = new Promise((resolve) => waiting[0]?.on("close", resolve));
  close();
  await gone;
  expect(asked).toHaveLength(1);
  expect(heard).toEqual([]);
  expect(told).toEqual([]);
});
