import { createServer } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { makeServerCertificate } from "../../cli/testing/certificate.ts";
import {
  aJob,
  type FakeHandler,
  type FakeMaster,
  logLineOf,
  send,
  sendError,
  sendLines,
  startFakeMaster,
  viewOf,
} from "../../cli/testing/fake-master.ts";
import { type Client, createClient } from "./client.ts";
import type { ConnectionOptions } from "./client-connection.ts";
import { SpillwayError } from "./errors.ts";

const masters: FakeMaster[] = [];
const clients: Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.dispose();
  for (const master of masters.splice(0)) await master.stop();
});

async function aMaster(handler: FakeHandler): Promise<FakeMaster> {
  const master = await startFakeMaster(handler);
  masters.push(master);
  return master;
}

function aClient(options: Pick<ConnectionOptions, "url" | "ca"> & Partial<ConnectionOptions>): Client {
  const client = createClient({ token: "secret", environment: "local", ...options });
  clients.push(client);
  return client;
}

async function faultOf(promise: Promise<unknown>): Promise<SpillwayError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (error instanceof SpillwayError) return error;
  return expect.unreachable(`not a SpillwayError: ${String(error)}`);
}

const health = { ok: true, version: "0.1.0", environmentId: "e", pid: 1 };
const spec = { name: "j1", command: ["true"], resources: { cpu: 1000, memory: 256 } };

describe("calls", () => {
  test("an answer is parsed, and the token goes with the request", async () => {
    const master = await aMaster(() => health);
    expect(await aClient(master).health()).toEqual(health);
    expect(master.requests[0]).toMatchObject({ method: "GET", path: "/v1/health", token: "secret" });
  });

  test("names are one segment of the path, whatever they hold", async () => {
    const master = await aMaster(() => ({ removed: false }));
    await aClient(master).removeNode("../pool?x");
    expect(master.requests[0]?.path).toBe("/v1/nodes/..%2Fpool%3Fx");
  });

  test("a submitted job tells whether it is new", async () => {
    let status = 201;
    const master = await aMaster((_, response) => send(response, status, viewOf(aJob({ state: "pending" }))));
    const client = aClient(master);
    expect((await client.submitJob(spec)).created).toBe(true);
    status = 200;
    expect((await client.submitJob(spec)).created).toBe(false);
    expect(master.requests[0]?.body).toEqual(spec);
  });

  test("the master's own error keeps its code, message and hint", async () => {
    const master = await aMaster((_, response) => sendError(response, 422, "never-fits", "no node has 64 cpu", "The biggest has 2."));
    const fault = await faultOf(aClient(master).submitJob(spec));
    expect(fault).toMatchObject({ code: "never-fits", message: "no node has 64 cpu", hint: "The biggest has 2." });
  });

  test("an answer of another shape is refused, not passed on", async () => {
    const master = await aMaster(() => ({ ok: "perhaps" }));
    expect(await faultOf(aClient(master).health())).toMatchObject({ code: "unexpected-answer" });
  });

  test("an error page of something else is told with its status", async () => {
    const master = await aMaster((_, response) => void response.writeHead(502).end("<html>"));
    const fault = await faultOf(aClient(master).health());
    expect(fault).toMatchObject({ code: "unexpected-answer" });
    expect(fault.message).toContain("502");
  });

  test("a connection the master closed meanwhile does not fail the next call", async () => {
    const master = await aMaster(() => health);
    const client = aClient(master);
    await client.health();
    await master.stop();
    await master.start();
    expect(await client.health()).toEqual(health);
  });
});

describe("a master that is not there", () => {
  test("is told with its URL and the command that mends it", async () => {
    const master = await aMaster(() => health);
    await master.stop();
    const fault = await faultOf(aClient(master).pool());
    expect(fault).toMatchObject({ code: "master-unreachable", hint: "`./spillway up local` mends it." });
    expect(fault.message).toContain(master.url);
  });

  test("that goes away before it answers may have done what it was asked for: that is not the same as unreachable", async () => {
    const master = await aMaster((_, response) => void response.destroy());
    const client = aClient(master);
    expect(await faultOf(client.submitJob(spec))).toMatchObject({ code: "stream-interrupted", hint: expect.stringContaining("try again") });
    expect(await faultOf(client.pool())).toMatchObject({ code: "stream-interrupted" });
  });

  test("does not keep the caller waiting when it never answers", async () => {
    const master = await aMaster(() => undefined);
    const fault = await faultOf(aClient({ ...master, answerTimeoutMs: 50 }).pool());
    expect(fault).toMatchObject({ code: "master-timeout" });
    expect(fault.message).toContain("GET /v1/pool");
  });

  test("does not keep the caller waiting when it stops in the middle of its answer", async () => {
    const master = await aMaster((_, response) => void response.writeHead(200).write('{"ok":'));
    const fault = await faultOf(aClient({ ...master, answerTimeoutMs: 50, connectTimeoutMs: 50 }).health());
    expect(fault).toMatchObject({ code: "master-timeout" });
  });

  test("does not keep the caller waiting when its port is silent", async () => {
    const silent = createServer(() => undefined);
    await new Promise<void>((done) => silent.listen(0, "127.0.0.1", done));
    const address = silent.address();
    const url = `https://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
    const { ca } = await makeServerCertificate();
    expect(await faultOf(aClient({ url, ca, connectTimeoutMs: 50 }).health())).toMatchObject({ code: "master-timeout" });
    silent.close();
  });
});

describe("trust", () => {
  test("a server of another CA is not this environment's master", async () => {
    const master = await aMaster(() => health);
    const { ca } = await makeServerCertificate();
    const fault = await faultOf(aClient({ url: master.url, ca }).health());
    expect(fault).toMatchObject({ code: "master-untrusted" });
    expect(fault.message).toContain("not this environment's master");
    expect(master.requests).toEqual([]);
  });

  test("a certificate for another address is refused", async () => {
    const master = await aMaster(() => health);
    const fault = await faultOf(aClient({ url: master.url.replace("127.0.0.1", "localhost"), ca: master.ca }).health());
    expect(fault).toMatchObject({ code: "master-untrusted" });
  });

  test("an expired certificate is told as that", async () => {
    const certificate = await makeServerCertificate({ validForMs: -1000 });
    const master = await startFakeMaster(() => health, certificate);
    masters.push(master);
    const fault = await faultOf(aClient(master).health());
    expect(fault).toMatchObject({ code: "master-untrusted" });
    expect(fault.message).toContain("expired");
  });

  test("a program that does not speak TLS is told as that", async () => {
    const other = createServer((socket) => void socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await new Promise<void>((done) => other.listen(0, "127.0.0.1", done));
    const address = other.address();
    const url = `https://127.0.0.1:${typeof address === "object" ? address?.port : 0}`;
    const { ca } = await makeServerCertificate();
    const fault = await faultOf(aClient({ url, ca }).health());
    expect(fault).toMatchObject({ code: "master-untrusted" });
    expect(fault.message).toContain("does not speak TLS");
    other.close();
  });
});

async function lines<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const line of stream) all.push(line);
  return all;
}

describe("streams", () => {
  test("a log is read to its end line, in pieces of any size", async () => {
    const master = await aMaster((_, response) => {
      const text = [logLineOf("stdout", "grüß"), logLineOf("stderr", "x"), { end: true }]
        .map((line) => `${JSON.stringify(line)}\n`)
        .join("");
      response.writeHead(200);
      for (const byte of Buffer.from(text)) response.write(Buffer.of(byte));
      response.end();
    });
    expect(await lines(aClient(master).logs("j1", { index: 2, attempt: 3, follow: true }))).toEqual([
      logLineOf("stdout", "grüß"),
      logLineOf("stderr", "x"),
      { end: true },
    ]);
    expect(master.requests[0]?.query.toString()).toBe("index=2&attempt=3&follow=true");
  });

  test("a log that breaks off is an error, not a short log", async () => {
    const master = await aMaster((_, response) => {
      sendLines(response, [logLineOf("stdout", "half")]);
      response.end();
    });
    expect(await faultOf(lines(aClient(master).logs("j1")))).toMatchObject({ code: "stream-interrupted" });
  });

  test("a connection that is cut is an error", async () => {
    const master = await aMaster((_, response) => {
      sendLines(response, [logLineOf("stdout", "half")]);
      setImmediate(() => response.destroy());
    });
    expect(await faultOf(lines(aClient(master).logs("j1")))).toMatchObject({ code: "stream-interrupted" });
  });

  test("a refused stream is the master's error", async () => {
    const master = await aMaster((_, response) => sendError(response, 404, "no-such-job", "there is no job j1"));
    expect(await faultOf(lines(aClient(master).logs("j1")))).toMatchObject({ code: "no-such-job" });
  });

  test("an aborted stream just ends, and the master sees it closed", async () => {
    const closed = Promise.withResolvers<void>();
    const master = await aMaster((_, response) => {
      response.on("close", closed.resolve);
      sendLines(response, [{ seq: 1, at: 0, kind: "k", subject: "s", message: "m" }]);
    });
    const stop = new AbortController();
    const seen: number[] = [];
    for await (const event of aClient(master).followEvents({ after: 0, signal: stop.signal })) {
      seen.push(event.seq);
      stop.abort();
    }
    expect(seen).toEqual([1]);
    await closed.promise;
  });

  test("a followed stream outlives the answer timeout", async () => {
    const master = await aMaster((_, response) => {
      sendLines(response, [logLineOf("stdout", "a")]);
      setTimeout(() => response.end(`${JSON.stringify({ end: true })}\n`), 150);
    });
    expect(await lines(aClient({ ...master, answerTimeoutMs: 50, connectTimeoutMs: 50 }).logs("j1", { follow: true }))).toHaveLength(2);
  });

  test("a slow reader slows the master down", async () => {
    const line = `${JSON.stringify(logLineOf("stdout", "x".repeat(30_000)))}\n`;
    const total = 2_000;
    let sent = 0;
    const master = await aMaster((_, response) => {
      response.writeHead(200);
      const more = (): void => {
        while (sent < total) {
          sent += 1;
          if (!response.write(line)) return void response.once("drain", more);
        }
        response.end(`${JSON.stringify({ end: true })}\n`);
      };
      more();
    });
    const stream = aClient(master).logs("j1");
    await stream.next();
    let before = -1;
    while (sent !== before) {
      before = sent;
      await new Promise((done) => setTimeout(done, 100));
    }
    expect(sent).toBeLessThan(total);
    await stream.return();
  });
});
