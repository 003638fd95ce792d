import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bulkPath } from "../../contract/wire.ts";
import { connectAgent, dial, type FakeIdentity, joinedAgent, joinNode, opened } from "../testing/fake-agent.ts";
import { aJob, type TestMaster, testMaster } from "../testing/test-master.ts";
import { until } from "../testing/until.ts";

describe("the states of a node", () => {
  let master: TestMaster;
  beforeEach(async () => {
    master = await testMaster();
  });
  afterEach(() => master.end());

  const node = async (name: string) => (await master.call("GET", `/v1/nodes/${name}`)).body;
  const stateOf = async (name: string) => (await node(name)).state as string;
  const submit = (name: string, fields: Record<string, unknown> = {}) =>
    master.call("POST", "/v1/jobs", { body: aJob({ name, ...fields }) });

  test("silence makes a node suspect, then disconnected, then lost, and each is told with its reason", async () => {
    await joinedAgent(master, "m1");
    await master.clock.advance(4900);
    expect(await stateOf("m1")).toBe("ready");
    await master.clock.advance(500);
    expect(await node("m1")).toMatchObject({ state: "suspect", stateReason: expect.stringContaining("no heartbeat for 5") });
    await master.clock.advance(10_000);
    expect(await stateOf("m1")).toBe("disconnected");
    await master.clock.advance(44_000);
    expect(await stateOf("m1")).toBe("disconnected");
    await master.clock.advance(1000);
    expect(await stateOf("m1")).toBe("lost");
    const kinds = (await master.events("node/m1")).map(({ kind }) => kind);
    expect(kinds.slice(-3)).toEqual(["node-suspect", "node-disconnected", "node-lost"]);
  });

  test("a heartbeat keeps it ready, and brings it back", async () => {
    const agent = await joinedAgent(master, "m1");
    await master.clock.advance(4000);
    const before = (await node("m1")).lastHeartbeatAt;
    agent.heartbeat();
    await until("heard", async () => (await node("m1")).lastHeartbeatAt > before);
    await master.clock.advance(4000);
    expect(await stateOf("m1")).toBe("ready");
    await master.clock.advance(4000);
    expect(await stateOf("m1")).toBe("suspect");
    agent.heartbeat();
    await until("ready", async () => (await stateOf("m1")) === "ready");
    expect((await master.events("node/m1")).at(-1)).toMatchObject({ kind: "node-returned", data: { was: "suspect" } });
  });

  test("a blip reschedules nothing: the task goes on as the same attempt", async () => {
    const identity = await joinNode(master, "m1");
    const agent = await connectAgent(master, identity);
    await joinedAgent(master, "m2");
    await submit("train", { nodePool: "rack" });
    const first = (await master.job("train")).indexes[0]?.attempts[0]?.node ?? (await agent.run("train.0.1"), "m1");
    expect(first).toBe("m1");
    agent.report({ taskId: "train.0.1", state: "running" });
    await until("running", async () => (await master.job("train")).indexes[0]?.attempts[0]?.state === "running");
    agent.cut();
    await master.clock.advance(30_000);
    expect(await stateOf("m1")).toBe("disconnected");
    const back = await connectAgent(master, identity, { tasks: [{ taskId: "train.0.1", state: "running" }] });
    expect(await stateOf("m1")).toBe("ready");
    back.report({ taskId: "train.0.1", state: "succeeded", exitCode: 0 });
    await back.told("recorded", "train.0.1");
    expect((await master.job("train")).indexes[0]?.attempts).toMatchObject([{ attempt: 1, state: "succeeded" }]);
  });

  test("a lost node's tasks run anew elsewhere; when it returns, its copies are stopped and its success does not count", async () => {
    const identity = await joinNode(master, "m1");
    const agent = await connectAgent(master, identity);
    await submit("train");
    await submit("other");
    await agent.run("train.0.1");
    await agent.run("other.0.1");
    agent.report({ taskId: "train.0.1", state: "running" });
    const helper = await joinedAgent(master, "m2");
    agent.cut();
    for (let second = 0; second < 61; second += 1) {
      await master.clock.advance(1000);
      helper.heartbeat();
      await until("heard", async () => (await node("m2")).lastHeartbeatAt === master.clock.now());
    }
    expect(await stateOf("m1")).toBe("lost");
    await helper.run("train.0.2");
    await helper.run("other.0.2");
    expect((await master.job("train")).indexes[0]?.attempts[0]).toMatchObject({
      state: "lost",
      reason: expect.stringContaining("m1 was lost"),
    });

    const back = await connectAgent(master, identity, {
      tasks: [
        { taskId: "train.0.1", state: "succeeded", exitCode: 0 },
        { taskId: "other.0.1", state: "running" },
      ],
    });
    await back.told("recorded", "train.0.1");
    await back.told("stop", "other.0.1");
    expect(await stateOf("m1")).toBe("ready");
    expect((await master.job("train")).state).toBe("running");
    expect((await master.events("job/train")).map(({ kind }) => kind)).toContain("task-report-ignored");
    helper.report({ taskId: "train.0.2", state: "succeeded", exitCode: 0 });
    await helper.told("recorded", "train.0.2");
    expect((await master.job("train")).indexes[0]?.attempts.map(({ state }) => state)).toEqual(["lost", "succeeded"]);
  });

  test("a pause of the master itself is nobody's silence", async () => {
    await joinedAgent(master, "m1");
    master.clock.jump(300_000);
    await master.clock.advance(1000);
    expect(await stateOf("m1")).toBe("ready");
    await master.clock.advance(6000);
    expect(await stateOf("m1")).toBe("suspect");
  });

  test("a removed node's tasks run elsewhere at once, and its offer is gone", async () => {
    const agent = await joinedAgent(master, "m1");
    await submit("train");
    await agent.run("train.0.1");
    const helper = await joinedAgent(master, "m2");
    await master.call("DELETE", "/v1/nodes/m1");
    await helper.run("train.0.2");
    expect((await master.job("train")).indexes[0]?.attempts[0]).toMatchObject({ state: "lost", reason: "node removed" });
    agent.report({ taskId: "train.0.1", state: "cancelled" });
    await agent.told("recorded", "train.0.1");
    expect((await master.call("GET", "/v1/pool")).body.total).toMatchObject({ nodes: 1, capacity: { cpu: 4000 } });
  });

  test("what is too large for a node's record is refused", async () => {
    const many = (length: number) => Object.fromEntries(Array.from({ length }, (_, n) => [`label-${n}`, "x".repeat(200)]));
    expect((await master.declare("m1", { labels: many(33) })).status).toBe(400);
    expect((await master.declare("m1", { attributes: { a: "x".repeat(300_000) } })).status).toBe(400);
    expect((await master.declare("m1", { labels: many(32) })).status).toBe(200);
    const agent = await joinedAgent(master, "m1");
    agent.report({ taskId: "a.0.1", state: "failed", reason: "x".repeat(300_000) });
    await until("closed", () => agent.closeCode !== undefined);
    expect((await master.call("GET", "/v1/health")).status).toBe(200);
  });

  test("a lost node's bulk connection is closed with it, long before it would be for idleness", async () => {
    const timers = { heartbeatIntervalMs: 1000, suspectAfterMs: 2000, disconnectedAfterMs: 3000, lostAfterMs: 5000 };
    const hasty = await testMaster({ config: { timers } });
    try {
      const identity = await joinNode(hasty, "m1");
      await connectAgent(hasty, identity);
      const bulk = dial(hasty, identity, bulkPath);
      await opened(bulk);
      await hasty.clock.advance(6000);
      await until("closed", () => bulk.readyState === bulk.CLOSED);
      expect((await hasty.call("GET", "/v1/nodes/m1")).body.state).toBe("lost");
    } finally {
      await hasty.end();
    }
  });

  test("frames that make no sense end the connection, not the master", async () => {
    for (const text of ["{", '{"type":"odd"}', '{"type":"task","report":{"taskId":1}}', "x".repeat(5 * 1024 * 1024)]) {
      const agent = await joinedAgent(master, "m1");
      agent.sendText(text);
      await until("closed", () => agent.closeCode !== undefined);
    }
    expect((await master.call("GET", "/v1/health")).status).toBe(200);
  });

  describe("after a restart of the master", () => {
    let identity: FakeIdentity;
    beforeEach(async () => {
      identity = await joinNode(master, "m1");
      const agent = await connectAgent(master, identity);
      await submit("runs");
      await submit("assigned");
      await submit("waits", { count: 3 });
      await agent.run("runs.0.1");
      await agent.run("assigned.0.1");
      agent.report({ taskId: "runs.0.1", state: "running" });
      await until("running", async () => (await master.job("runs")).indexes[0]?.attempts[0]?.state === "running");
      await master.restart();
    });

    test("nothing is lost and nothing is rescheduled", async () => {
      expect(await node("m1")).toMatchObject({ state: "suspect", tasks: 4, used: { cpu: 4000 } });
      expect((await master.job("runs")).indexes[0]?.attempts).toMatchObject([{ state: "running" }]);
      const back = await connectAgent(master, identity, { tasks: [{ taskId: "runs.0.1", state: "running" }] });
      await back.run("assigned.0.1");
      expect(await stateOf("m1")).toBe("ready");
      for (const name of ["runs", "assigned"]) {
        back.report({ taskId: `${name}.0.1`, state: "succeeded", exitCode: 0 });
        await back.told("recorded", `${name}.0.1`);
        expect((await master.job(name)).indexes[0]?.attempts).toMatchObject([{ attempt: 1, state: "succeeded" }]);
      }
    });

    test("the timers count from its start", async () => {
      await master.clock.advance(14_000);
      expect(await stateOf("m1")).toBe("suspect");
      await master.clock.advance(2000);
      expect(await stateOf("m1")).toBe("disconnected");
      expect((await master.job("runs")).indexes[0]?.state).toBe("active");
      await master.clock.advance(45_000);
      expect(await stateOf("m1")).toBe("lost");
      await until("pending", async () => (await master.job("runs")).indexes[0]?.state === "pending");
      await master.restart();
      expect(await stateOf("m1")).toBe("lost");
    });
  });
});
