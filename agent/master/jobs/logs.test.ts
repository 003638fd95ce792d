import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { initialCreditBytes, maxDataBytes } from "../../contract/wire.ts";
import { connectAgent, connectBulk, type FakeAgent, type FakeBulk, type FakeIdentity, joinNode } from "../testing/fake-agent.ts";
import { aJob, type TestMaster, testMaster } from "../testing/test-master.ts";
import { until } from "../testing/until.ts";

describe("logs", () => {
  let master: TestMaster;
  let identity: FakeIdentity;
  let agent: FakeAgent;
  beforeEach(async () => {
    master = await testMaster();
    identity = await joinNode(master, "m1");
    agent = await connectAgent(master, identity);
  });
  afterEach(() => master.end());

  const submit = (fields: Record<string, unknown> = {}) => master.call("POST", "/v1/jobs", { body: aJob({ name: "train", ...fields }) });
  const start = async (attempt = 1) => {
    await agent.run(`train.0.${attempt}`);
    agent.report({ taskId: `train.0.${attempt}`, state: "running", startedAt: Date.now() });
    await until("running", async () => (await master.job("train")).indexes[0]?.attempts.at(-1)?.state === "running");
  };
  const finish = async (state: "succeeded" | "failed" = "succeeded", attempt = 1) => {
    agent.report({ taskId: `train.0.${attempt}`, state, exitCode: state === "succeeded" ? 0 : 1, startedAt: Date.now() });
    await agent.told("recorded", `train.0.${attempt}`);
  };
  const openBulk = (count: number) => until("open-bulk", () => agent.received.filter(({ type }) => type === "open-bulk").length === count);
  const text = (lines: Record<string, unknown>[], channel = "stdout") =>
    lines
      .filter((line) => line.channel === channel)
      .map((line) => Buffer.from(String(line.data), "base64").toString())
      .join("");

  test("a finished task's output comes from its node, channel by channel, and ends", async () => {
    await submit();
    await start();
    await finish();
    const log = await master.stream("/v1/jobs/train/logs");
    await openBulk(1);
    const bulk = await connectBulk(master, identity, ({ stream }, it) => {
      it.data(stream, "stdout", "hello ");
      it.data(stream, "stderr", "oops");
      it.data(stream, "stdout", Buffer.from("wörld"));
      it.end(stream);
    });
    await log.ended;
    expect(bulk.requests[0]).toMatchObject({ type: "open-log", taskId: "train.0.1", follow: false });
    expect(text(log.lines)).toBe("hello wörld");
    expect(text(log.lines, "stderr")).toBe("oops");
    expect(log.lines.at(-1)).toEqual({ end: true });
    const again = await master.stream("/v1/jobs/train/logs?index=0&attempt=1");
    await again.ended;
    expect(agent.received.filter(({ type }) => type === "open-bulk")).toHaveLength(1);
  });

  test("output that is no longer there is told as such, and after a new connection only what was missed of it", async () => {
    await submit();
    await start();
    const log = await master.stream("/v1/jobs/train/logs?follow=true");
    await openBulk(1);
    const first = await connectBulk(master, identity, ({ stream }, it) => it.data(stream, "stdout", "x".repeat(50)));
    await until("the first part", () => text(log.lines).length === 50);
    expect(first.requests[0]).toMatchObject({ type: "open-log", skips: true });
    first.cut();
    await until("it is asked again", async () => {
      await master.clock.advance(500);
      return agent.received.filter(({ type }) => type === "open-bulk").length === 2;
    });
    // Meanwhile the node has cut 80 bytes, 30 of which nobody has seen.
    await connectBulk(master, identity, ({ stream }, it) => {
      it.skipped(stream, "stdout", 80);
      it.data(stream, "stdout", "the rest");
      it.end(stream);
    });
    await finish();
    await log.ended;
    const [notice] = log.lines.filter((line) => line.skipped !== undefined);
    expect(notice).toMatchObject({ channel: "stdout", skipped: 30 });
    expect(Buffer.from(String(notice?.data), "base64").toString()).toContain("30 bytes of this output are no longer there");
    expect(text(log.lines.filter((line) => line.skipped === undefined))).toBe(`${"x".repeat(50)}the rest`);
  });

  test("a log the master's end cuts off has no end of its own", async () => {
    await submit();
    await start();
    const log = await master.stream("/v1/jobs/train/logs?follow=true");
    await openBulk(1);
    await connectBulk(master, identity, ({ stream }, it) => it.data(stream, "stdout", "hello"));
    await until("the first line", () => log.lines.length === 1);
    await master.restart();
    await log.ended;
    expect(log.lines).toHaveLength(1);
  });

  test("a node that connects anew is asked for a new bulk connection", async () => {
    await submit();
    await start();
    const log = await master.stream("/v1/jobs/train/logs?follow=true");
    await openBulk(1);
    await connectBulk(master, identity, ({ stream }, it) => {
      it.data(stream, "stdout", "hel");
      it.data(stream, "stderr", "");
    });
    await until("the first part", () => text(log.lines) === "hel");
    agent = await connectAgent(master, identity, { tasks: [{ taskId: "train.0.1", state: "running" }] });
    await until("it is asked again", async () => {
      await master.clock.advance(500);
      return agent.received.some(({ type }) => type === "open-bulk");
    });
    await connectBulk(master, identity, ({ stream }, it) => {
      it.data(stream, "stdout", "hello");
      it.end(stream);
    });
    await until("the rest, without what was told", () => text(log.lines) === "hello");
    await finish();
    await log.ended;
    expect(log.lines.at(-1)).toEqual({ end: true });
    expect(log.lines.some(({ channel }) => channel === "stderr")).toBe(false);
  });

  test("what can't be read is told before anything is sent", async () => {
    const get = (path: string) => master.call("GET", path);
    expect((await get("/v1/jobs/train/logs")).status).toBe(404);
    await submit({ resources: { cpu: 4000, memory: 8192 } });
    await agent.run("train.0.1");
    expect(await get("/v1/jobs/train/logs")).toMatchObject({ status: 409, body: { error: { code: "not-started" } } });
    expect((await get("/v1/jobs/train/logs?index=1")).status).toBe(404);
    expect((await get("/v1/jobs/train/logs?attempt=2&follow=true")).status).toBe(404);
    expect((await get("/v1/jobs/train/logs?index=-1")).status).toBe(400);
    await start();
    agent.cut();
    await until("node away", async () => (await get("/v1/jobs/train/logs")).status === 503);
    expect((await get("/v1/jobs/train/logs")).body.error).toMatchObject({ code: "node-away" });
  });

  test("following waits for the task to start, and ends when its end is recorded", async () => {
    await submit();
    await agent.run("train.0.1");
    const log = await master.stream("/v1/jobs/train/logs?follow=true");
    await start();
    await openBulk(1);
    let stream = 0;
    const bulk = await connectBulk(master, identity, (request, it) => {
      stream = request.stream;
      it.data(stream, "stdout", "one\n");
    });
    await until("first line", () => text(log.lines) === "one\n");
    bulk.data(stream, "stdout", "two\n");
    bulk.end(stream);
    await until("second line", () => text(log.lines) === "one\ntwo\n");
    expect(log.lines.some((line) => line.end === true)).toBe(false);
    await finish();
    await log.ended;
    expect(log.lines.at(-1)).toEqual({ end: true });
  });

  test("following goes on with the next attempt when a task is tried again", async () => {
    await submit({ retries: 1 });
    await start();
    const log = await master.stream("/v1/jobs/train/logs?follow=true");
    await openBulk(1);
    await connectBulk(master, identity, ({ stream, taskId }, it) => {
      it.data(stream, "stdout", `${taskId}\n`);
      it.end(stream);
    });
    await until("first attempt", () => text(log.lines) === "train.0.1\n");
    await finish("failed");
    await start(2);
    await until("second attempt", () => text(log.lines) === "train.0.1\ntrain.0.2\n");
    await finish("failed", 2);
    await log.ended;
    expect(log.lines.filter((line) => line.end === true)).toEqual([{ end: true }]);
  });

  test("a cut bulk connection is opened again, and nothing is told twice", async () => {
    await submit();
    await start();
    const log = await master.stream("/v1/jobs/train/logs?follow=true");
    await openBulk(1);
    const first = await connectBulk(master, identity, ({ stream }, it) => it.data(stream, "stdout", "one two "));
    await until("first piece", () => text(log.lines) === "one two ");
    first.cut();
    await until("asked again", async () => {
      await master.clock.advance(500);
      return agent.received.filter(({ type }) => type === "open-bulk").length === 2;
    });
    await connectBulk(master, identity, ({ stream }, it) => {
      it.data(stream, "stdout", "one ");
      it.data(stream, "stdout", "two three");
      it.end(stream);
    });
    await until("the rest", () => text(log.lines) === "one two three");
    await finish();
    await log.ended;
  });

  test("a slow reader holds the agent back by its credit", async () => {
    await submit();
    await start();
    await finish();
    const piece = Buffer.alloc(maxDataBytes, "x");
    const total = 20 * initialCreditBytes;
    let sent = 0;
    let credit = initialCreditBytes;
    const pump = (bulk: FakeBulk, stream: number) => {
      while (credit >= piece.length && sent < total) {
        bulk.data(stream, "stdout", piece);
        credit -= piece.length;
        sent += piece.length;
      }
      if (sent >= total) bulk.end(stream);
    };
    const log = await master.stream("/v1/jobs/train/logs");
    await openBulk(1);
    const bulk = await connectBulk(master, identity, ({ stream }, it) => pump(it, stream));
    let granted = 0;
    await until("everything is sent", () => {
      for (; granted < bulk.requests.length; granted += 1) {
        const request = bulk.requests[granted];
        if (request?.type !== "credit") continue;
        credit += request.bytes;
        pump(bulk, request.stream);
      }
      return sent >= total;
    });
    await log.ended;
    expect(text(log.lines)).toHaveLength(total);
  });

  test("an agent that sends more than its credit is cut off", async () => {
    await submit();
    await start();
    await finish();
    const log = await master.stream("/v1/jobs/train/logs");
    await openBulk(1);
    const flood = await connectBulk(master, identity, ({ stream }, it) => {
      for (let n = 0; n < 200; n += 1) it.data(stream, "stdout", Buffer.alloc(maxDataBytes));
    });
    await log.ended;
    expect(log.lines.at(-1)).toMatchObject({ end: true, error: expect.stringContaining("was lost") });
    flood.cut();
  });

  test("an agent that has no such log, or does not answer, is told as the end", async () => {
    await submit();
    await start();
    await finish();
    const silent = await master.stream("/v1/jobs/train/logs");
    await openBulk(1);
    await master.clock.advance(10_000);
    await silent.ended;
    expect(silent.lines.at(-1)).toMatchObject({ end: true, error: expect.stringContaining("can't be asked") });
    const log = await master.stream("/v1/jobs/train/logs");
    await openBulk(2);
    await connectBulk(master, identity, ({ stream }, it) => it.end(stream, "no output of train.0.1"));
    await log.ended;
    expect(log.lines).toEqual([{ end: true, error: expect.stringContaining("no output of train.0.1") }]);
  });

  test("when the reader hangs up, the agent is told to stop sending", async () => {
    await submit();
    await start();
    const log = await master.stream("/v1/jobs/train/logs?follow=true");
    await openBulk(1);
    const bulk = await connectBulk(master, identity, ({ stream }, it) => it.data(stream, "stdout", "x"));
    await until("a line", () => text(log.lines) === "x");
    log.close();
    await until("close", () => bulk.requests.some(({ type }) => type === "close"));
  });
});
