import { connect as connectTcp } from "node:net";
import { connect as connectTls } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { apiError, eventList, explanation, health, nodeList, poolView } from "../contract/api.ts";
import { bulkPath, controlPath } from "../contract/wire.ts";
import { dial, joinedAgent, joinNode, opened } from "./testing/fake-agent.ts";
import { aJob, type CallOptions, type TestMaster, testMaster } from "./testing/test-master.ts";
import { until } from "./testing/until.ts";

describe("the master's listener", () => {
  let master: TestMaster;
  beforeAll(async () => {
    master = await testMaster({ config: { endpoint: "https://pool.example.org:7070" } });
  });
  afterAll(() => master.end());

  const status = async (path: string, options: CallOptions = {}) => (await master.call("GET", path, options)).status;

  test("health needs no token and tells who it is", async () => {
    const answer = await master.call("GET", "/v1/health", { token: null });
    expect(health.parse(answer.body)).toMatchObject({ environmentId: master.config.environment.id, pid: process.pid });
  });

  test("everything else needs the token", async () => {
    for (const path of ["/v1/pool", "/v1/nodes", "/v1/jobs", "/v1/events", "/v1/ledger", "/v1/unknown", "/"]) {
      expect(await status(path, { token: null })).toBe(401);
      expect(await status(path, { token: "wrong" })).toBe(401);
    }
    expect(await status("/v1/pool", { token: null, headers: { authorization: "Basic dGVzdDp0ZXN0" } })).toBe(401);
    expect(await status("/v1/pool", { headers: { cookie: "a=b" } })).toBe(200);
    expect(await status("/v1/unknown")).toBe(404);
  });

  test("only the names it goes by are accepted as host", async () => {
    for (const host of ["pool.example.org:7070", "pool.example.org", "localhost:1234", "127.0.0.1", "POOL.example.org"]) {
      expect(await status("/v1/pool", { headers: { host } })).toBe(200);
    }
    for (const host of ["evil.example", "127.0.0.1.evil.example", "pool.example.org.evil.example:7070", "[::1]"]) {
      expect(await status("/v1/pool", { headers: { host } })).toBe(403);
      expect(await status("/v1/health", { headers: { host }, token: null })).toBe(403);
    }
    for (const host of ["a@127.0.0.1", "x:y:z", "127.0.0.1/x"])
      expect([400, 403]).toContain(await status("/v1/pool", { headers: { host } }));
  });

  test("pages of other origins are refused, and get no CORS headers", async () => {
    expect(await status("/v1/pool", { headers: { origin: "https://pool.example.org:7070" } })).toBe(200);
    for (const origin of ["https://evil.example", "null", "http://pool.example.org:7070", "https://pool.example.org"]) {
      const answer = await master.call("GET", "/v1/pool", { headers: { origin } });
      expect(answer.status).toBe(403);
      expect(apiError.parse(answer.body).error.code).toBe("forbidden");
      expect(Object.keys(answer.headers).filter((name) => name.startsWith("access-control"))).toEqual([]);
    }
    expect((await master.call("OPTIONS", "/v1/jobs", { headers: { origin: "https://evil.example" }, token: null })).status).toBe(403);
    const identity = await joinNode(master, "origin");
    await expect(opened(dial(master, identity, controlPath, { origin: "https://evil.example" }))).rejects.toThrow("403");
    await expect(opened(dial(master, identity, controlPath, { host: "evil.example" }))).rejects.toThrow("403");
  });

  test("hostile bytes get an error or a closed door, and the master goes on", async () => {
    const identity = await joinNode(master, "hostile");
    await expect(opened(dial(master, identity, "/agent/other"))).rejects.toThrow("404");
    await expect(opened(dial(master, {}, bulkPath))).rejects.toThrow("403");
    const requests = [
      "\x00\x01\x02\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
      `GET / HTTP/1.1\r\nX: ${"x".repeat(100_000)}\r\n\r\n`,
      "POST /v1/join HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      "GET /agent/control HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
      "GET /agent/control HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
      "CONNECT a:1 HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
      "GET http://[ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    ];
    for (const bytes of requests) {
      const answer = await overTls(master, bytes);
      expect(answer === "" || /^HTTP\/1\.1 4\d\d /.test(answer), `${bytes.slice(0, 40)} → ${answer.slice(0, 60)}`).toBe(true);
    }
    await overTcp(master, "GET / HTTP/1.1\r\n\r\n");
    await overTcp(master, "\x16\x03\x01garbage");
    for (const path of [
      "/v1/jobs/%00",
      "/v1/jobs/%ff",
      "/v1/jobs/..%2f..",
      "/v1/nodes/a%2fb",
      "/v1/explain?subject=%",
      "/v1/events?limit=1e9",
    ]) {
      const code = await status(path);
      expect(code >= 400 && code < 500, `${path} → ${code}`).toBe(true);
    }
    expect((await master.call("PUT", "/v1/nodes/..%2Fx", { body: { pool: "a", provider: "b", providerId: "c" } })).status).toBe(400);
    const chunked = { "transfer-encoding": "chunked" };
    // Who goes on sending may be cut off before the answer is read.
    const flood = await master
      .call("POST", "/v1/join", { body: "x".repeat(2_000_000), headers: chunked, token: null })
      .catch((error) => error.code);
    expect(flood === "ECONNRESET" || flood === "EPIPE" || flood.status === 413, String(flood)).toBe(true);
    expect((await master.call("POST", "/v1/jobs", { body: "[".repeat(100_000) })).status).toBe(400);
    expect(await status("/v1/health")).toBe(200);
  });

  test("the API describes itself to anybody who may connect, with or without a token", async () => {
    const { status: code, body } = await master.call("GET", "/v1/openapi.json", { token: null });
    expect(code).toBe(200);
    expect(body).toEqual((await master.call("GET", "/v1/openapi.json")).body);
    expect(body.openapi).toBe("3.1.0");
    expect(body.components.schemas.JobSpec.properties.command.description).toContain("argv");
    expect(await status("/v1/openapi.json", { token: null, headers: { origin: "https://evil.example" } })).toBe(403);
  });
});

describe("views", () => {
  let master: TestMaster;
  beforeAll(async () => {
    master = await testMaster();
    await master.declare("m1", { reserve: { cpu: 500, memory: 512, disk: 0, gpus: [] }, price: { hourly: 0.1 } });
    await joinedAgent(master, "m1");
    await master.declare("m2", { pool: "base", provider: "aws", attributes: { region: "eu-central-1" }, price: { hourly: 0.2 } });
  });
  afterAll(() => master.end());

  test("the pool is one view, by pool and place", async () => {
    const view = poolView.parse((await master.call("GET", "/v1/pool")).body);
    expect(view.rows).toMatchObject([
      { pool: "rack", where: "local", nodesByState: { ready: 1 }, capacity: { cpu: 3500, memory: 7680 }, hourly: 0.1 },
      { pool: "base", where: "aws eu-central-1", nodesByState: { joining: 1 }, capacity: { cpu: 0 }, hourly: 0.2 },
    ]);
    expect(view.total).toMatchObject({ nodes: 2, nodesByState: { ready: 1, joining: 1 }, hourly: 0.3 });
    expect(nodeList.parse((await master.call("GET", "/v1/nodes")).body).nodes.map(({ name }) => name)).toEqual(["m1", "m2"]);
  });

  test("declaring a node again is no change; a changed declaration is one", async () => {
    const before = (await master.events("node/m2")).length;
    const again = { pool: "base", provider: "aws", attributes: { region: "eu-central-1" }, price: { hourly: 0.2 } };
    expect((await master.declare("m2", again)).status).toBe(200);
    expect(await master.events("node/m2")).toHaveLength(before);
    await master.declare("m2", { ...again, labels: { tier: "x" } });
    expect((await master.events("node/m2")).at(-1)?.kind).toBe("node-updated");
  });

  test("a pending job is explained by the nodes that were looked at, and why not", async () => {
    await master.call("POST", "/v1/jobs", { body: aJob({ name: "fills", resources: { cpu: 3000, memory: 1024 } }) });
    await until("placed", async () => (await master.job("fills")).counts.active === 1);
    await master.call("POST", "/v1/jobs", { body: aJob({ name: "waits", resources: { cpu: 2000, memory: 1024 } }) });
    const told = explanation.parse((await master.call("GET", "/v1/explain?subject=job/waits")).body);
    expect(told.summary).toMatch(
      /^waits is pending for .* \(priority 50; each needs 2 cpu, 1 GiB memory\); none of 2 nodes can take it now$/,
    );
    expect(told.rejected).toEqual([
      { reason: "joining", nodes: ["m2"] },
      { reason: "too little cpu free", nodes: ["m1"], detail: "best has 0.5 cpu free (m1)" },
    ]);
    const placed = explanation.parse((await master.call("GET", "/v1/explain?subject=job/fills")).body);
    expect(placed.summary).toBe("fills is running: on node m1");
    expect(placed.events.map(({ kind }) => kind)).toContain("task-placed");
    const node = explanation.parse((await master.call("GET", "/v1/explain?subject=node/m1")).body);
    expect(node.summary).toContain("m1 is ready");
    expect((await master.call("GET", "/v1/explain?subject=job/none")).status).toBe(404);
    expect((await master.call("GET", "/v1/explain?subject=odd")).status).toBe(400);
  });

  test("events are looked up by number and subject, and followed as they come", async () => {
    const all = eventList.parse((await master.call("GET", "/v1/events?after=0&limit=1000")).body);
    expect(all.events.map(({ seq }) => seq)).toEqual(all.events.map((_, position) => position + 1));
    expect(all.lastSeq).toBe(all.events.at(-1)?.seq);
    const newest = eventList.parse((await master.call("GET", "/v1/events?limit=2")).body);
    expect(newest.events).toEqual(all.events.slice(-2));
    const followed = await master.stream("/v1/events?follow=true&after=2&limit=1&subject=node/m1");
    const past = all.events.filter(({ seq, subject }) => seq > 2 && subject === "node/m1");
    await until("the past", () => followed.lines.length === past.length);
    await master.call("POST", "/v1/nodes/m1/join-token");
    await until("the new one", () => followed.lines.length === past.length + 1);
    expect(followed.lines.at(-1)).toMatchObject({ kind: "node-token-issued", subject: "node/m1" });
    followed.close();
  });
});

function overTls(master: TestMaster, bytes: string): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let answer = "";
  const socket = connectTls({ host: "127.0.0.1", port: master.port, ca: master.ca }, () => socket.end(bytes));
  socket.on("data", (data) => {
    answer += data.toString();
  });
  socket.on("error", () => {});
  socket.on("close", () => resolve(answer));
  return promise;
}

function overTcp(master: TestMaster, bytes: string): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const socket = connectTcp({ host: "127.0.0.1", port: master.port }, () => socket.end(bytes));
  socket.on("error", () => {});
  socket.on("close", () => resolve());
  socket.resume();
  return promise;
}
