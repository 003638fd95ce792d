import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { closingView, ledgerLine } from "../../contract/api.ts";
import { connectAgent, type FakeAgent, type FakeIdentity, joinNode } from "../testing/fake-agent.ts";
import { aJob, type TestMaster, testMaster } from "../testing/test-master.ts";
import { until } from "../testing/until.ts";

describe("closing an environment", () => {
  let master: TestMaster;
  let identity: FakeIdentity;
  let agent: FakeAgent;
  beforeEach(async () => {
    master = await testMaster();
    identity = await joinNode(master, "m1");
    agent = await connectAgent(master, identity);
    await master.call("POST", "/v1/jobs", { body: aJob({ name: "train", count: 6, retries: 3 }) });
    await agent.run("train.3.1");
  });
  afterEach(() => master.end());

  const close = (body: Record<string, unknown> = { reason: "destroy", graceMs: 700 }) => master.call("POST", "/v1/close", { body });

  test("what waits is cancelled, what runs is stopped with the grace, and no job is taken any more", async () => {
    const closing = closingView.parse((await close()).body);
    expect(closing).toEqual({ closing: true, activeTasks: 4, pendingTasks: 0 });
    for (const index of [0, 1, 2, 3]) {
      expect(await agent.told("stop", `train.${index}.1`)).toMatchObject({ graceMs: 700, reason: "destroy" });
      agent.report({ taskId: `train.${index}.1`, state: "cancelled" });
    }
    await until("nothing active", async () => (await master.call("GET", "/v1/closing")).body.activeTasks === 0);
    expect(await master.call("POST", "/v1/jobs", { body: aJob() })).toMatchObject({ status: 409, body: { error: { code: "closing" } } });
    expect((await master.call("GET", "/v1/pool")).body.closing).toBe(true);
    expect((await master.job("train")).state).toBe("cancelled");
    expect(agent.received.filter(({ type }) => type === "run")).toHaveLength(4);
  });

  test("the latch survives a restart, and so does what is to be stopped", async () => {
    await close();
    await master.restart();
    expect((await master.call("GET", "/v1/closing")).body).toEqual({ closing: true, activeTasks: 4, pendingTasks: 0 });
    const back = await connectAgent(master, identity, { tasks: [{ taskId: "train.0.1", state: "running" }] });
    await back.told("stop", "train.0.1");
    await until("the unknown ones are settled", async () => (await master.call("GET", "/v1/closing")).body.activeTasks === 1);
    expect(back.received.some(({ type }) => type === "run")).toBe(false);
  });

  test("tasks of a lost node are not placed anew while closing", async () => {
    await close();
    agent.cut();
    await master.clock.advance(61_000);
    await until("nothing active", async () => (await master.call("GET", "/v1/closing")).body.activeTasks === 0);
    expect((await master.job("train")).counts).toMatchObject({ cancelled: 6, pending: 0 });
  });

  test("it can be opened again; what was cancelled stays cancelled", async () => {
    await close({ reason: "by mistake" });
    expect((await master.call("POST", "/v1/open")).body.closing).toBe(false);
    expect((await master.call("POST", "/v1/open")).status).toBe(200);
    expect((await master.job("train")).counts.cancelled).toBe(2);
    expect((await master.call("POST", "/v1/jobs", { body: aJob() })).status).toBe(201);
    expect((await master.events("environment")).map(({ kind }) => kind).slice(-2)).toEqual(["closing", "reopened"]);
  });

  test("the ledger tells the environment, its nodes, and its jobs with their attempts", async () => {
    const ledger = await master.stream("/v1/ledger");
    await ledger.ended;
    const lines = ledger.lines.map((line) => ledgerLine.parse(line));
    expect(lines.map(({ kind }) => kind)).toEqual(["environment", "node", "job"]);
    expect(lines[2]).toMatchObject({ job: { id: "train", indexes: { length: 6 } } });
  });
});
