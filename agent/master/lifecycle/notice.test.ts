import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { NodeNotice } from "../../contract/node.ts";
import { connectAgent, type FakeAgent, type FakeIdentity, joinNode } from "../testing/fake-agent.ts";
import { aJob, type TestMaster, testMaster } from "../testing/test-master.ts";
import { until } from "../testing/until.ts";

const big = { capacity: { cpu: 20_000, memory: 40_960, disk: 0, gpus: [] } };
const tasks = 20;

let master: TestMaster;
let identity: FakeIdentity;
let agent: FakeAgent;

beforeEach(async () => {
  master = await testMaster();
  await master.declare("m1", big);
  identity = await joinNode(master, "m1");
  agent = await connectAgent(master, identity);
});
afterEach(() => master.end());

/** As EC2 has it: two minutes ahead; by the agent's clock, which is the computer's. */
const reclaim = (inMs = 120_000): NodeNotice => ({
  kind: "reclaim",
  at: Date.now() + inMs,
  text: "EC2 takes this spot instance back (terminate)",
});
const advice: NodeNotice = { kind: "rebalance", at: 1, text: "EC2 says that it may soon take this spot instance back" };

const node = async (name = "m1") => (await master.call("GET", `/v1/nodes/${name}`)).body;
const post = (path: string, body: unknown = {}) => master.call("POST", `/v1/nodes/${path}`, { body });
const scheduling = async () => (await node()).scheduling;
const kinds = async () => (await master.events("node/m1")).map(({ kind }) => kind);
const eventOf = async (kind: string) => (await master.events("node/m1")).find((event) => event.kind === kind);
const isTold = (kind: string) => until(kind, async () => (await kinds()).includes(kind));

async function anotherNode(name: string): Promise<FakeAgent> {
  await master.declare(name, big);
  return connectAgent(master, await joinNode(master, name));
}

/** A job whose tasks all run on m1. */
async function running(count: number, fields: Record<string, unknown> = {}): Promise<void> {
  await master.call("POST", "/v1/jobs", { body: aJob({ name: "train", count, ...fields }) });
  for (let index = 0; index < count; index++) {
    await agent.run(`train.${index}.1`);
    agent.report({ taskId: `train.${index}.1`, state: "running" });
  }
  await until("they run", async () => (await master.job("train")).indexes.every(({ attempts }) => attempts[0]?.state === "running"));
}

describe("a node that is taken away by its cloud", () => {
  test("gives all its tasks to others at once, and they use up no retry", async () => {
    await running(tasks, { graceMs: 7000 });
    const other = await anotherNode("m2");
    agent.heartbeat(reclaim());
    await Promise.all(Array.from({ length: tasks }, (_, index) => other.run(`train.${index}.2`)));
    expect(await agent.told("stop", "train.0.1")).toMatchObject({
      graceMs: 7000,
      reason: expect.stringContaining("taken away by its cloud"),
    });
    for (const { attempts } of (await master.job("train")).indexes) {
      expect(attempts).toMatchObject([
        { node: "m1", state: "lost", fault: "node", reason: expect.stringContaining("EC2 takes this spot instance back") },
        { node: "m2", state: "assigned" },
      ]);
    }
    for (let index = 0; index < tasks; index++) {
      agent.report({ taskId: `train.${index}.1`, state: "cancelled" });
      other.report({ taskId: `train.${index}.2`, state: "succeeded", exitCode: 0 });
    }
    await until("all have succeeded", async () => (await master.job("train")).state === "succeeded");
  });

  test("leaves its tasks pending when there is no room, and says why, until there is", async () => {
    await running(tasks);
    agent.heartbeat(reclaim());
    await until("they are pending", async () => {
      const { counts, reason } = await master.job("train");
      return counts.pending === tasks && reason.includes("1 node reclaimed by its cloud");
    });
    const why = (await master.call("GET", "/v1/explain?subject=job/train")).body;
    expect(why.rejected).toEqual([{ reason: "reclaimed by its cloud", nodes: ["m1"] }]);
    const other = await anotherNode("m2");
    await other.run("train.19.2");
    expect((await master.job("train")).counts.pending).toBe(0);
  });

  test("is shown and told with the time that is left", async () => {
    await running(2);
    agent.heartbeat(reclaim());
    await isTold("node-reclaimed");
    const view = await node();
    expect(view).toMatchObject({
      state: "ready",
      scheduling: "cordoned",
      notice: { kind: "reclaim", text: "EC2 takes this spot instance back (terminate)" },
      schedulingReason: expect.stringMatching(/^its cloud takes the machine at \d\d:\d\d:\d\d UTC: EC2 takes/),
    });
    expect(Object.keys(view.notice)).toEqual(["kind", "at", "text"]);
    expect((await eventOf("node-reclaimed"))?.message).toMatch(
      /^Node m1 is taken away by its cloud at .* UTC, in (2 min|1 min 59.* s) \(EC2 takes .*\): it gets no new task, and its 2 tasks are tried again elsewhere$/,
    );
    const { summary } = (await master.call("GET", "/v1/explain?subject=node/m1")).body;
    expect(summary).toContain("it is cordoned and gets no new task: its cloud takes the machine at");
  });

  test("has its tasks stopped within the time that is left", async () => {
    await running(1, { graceMs: 600_000 });
    agent.heartbeat(reclaim(30_000));
    const stop = await agent.told("stop", "train.0.1");
    expect(stop.type === "stop" && stop.graceMs).toBeGreaterThan(20_000);
    expect(stop.type === "stop" && stop.graceMs).toBeLessThanOrEqual(30_000);
  });

  test("has as much time left on a clock that is an hour off", async () => {
    const sentAt = Date.now() + 3_600_000;
    agent.send({ type: "heartbeat", sentAt, notice: { ...reclaim(), at: sentAt + 120_000 } });
    await isTold("node-reclaimed");
    expect((await node()).notice.at).toBe(master.clock.now() + 120_000);
  });

  test("is told once, however often its agent says it, and evicts nothing twice", async () => {
    await running(3);
    const notice = reclaim();
    agent.heartbeat(notice);
    agent.heartbeat(notice);
    await isTold("node-evicted");
    await master.clock.advance(1000);
    agent.heartbeat(notice);
    await until("it is heard", async () => (await node()).lastHeartbeatAt === master.clock.now());
    agent.heartbeat({ ...notice, at: notice.at + 1000 });
    await until("the new time is known", async () => (await node()).notice.at >= notice.at + 500);
    const told = await kinds();
    expect(told.filter((kind) => kind === "node-reclaimed")).toHaveLength(1);
    expect(told.filter((kind) => kind === "node-evicted")).toHaveLength(1);
    expect(agent.received.filter((message) => message.type === "stop" && message.taskId === "train.0.1")).toHaveLength(1);
  });

  test("is one still after the master has begun anew, whose first word its agent is, and what it still has is stopped", async () => {
    await running(1);
    agent.heartbeat(reclaim());
    await isTold("node-reclaimed");
    await agent.told("stop", "train.0.1");
    await master.restart();
    agent = await connectAgent(master, identity, { tasks: [{ taskId: "train.0.1", state: "running" }] });
    await agent.told("stop", "train.0.1");
    // Before metadata was asked the new agent says nothing: that withdraws nothing.
    agent.heartbeat();
    await master.clock.advance(300);
    agent.heartbeat();
    await until("it is heard", async () => (await node()).lastHeartbeatAt === master.clock.now());
    expect(await node()).toMatchObject({ state: "ready", scheduling: "cordoned", notice: { kind: "reclaim" } });
    const counts = (await master.job("train")).counts;
    expect(counts).toMatchObject({ pending: 1, active: 0 });
    expect((await kinds()).filter((kind) => kind === "node-reclaimed")).toHaveLength(1);
  });

  test("takes tasks again when the notice is withdrawn", async () => {
    agent.heartbeat(reclaim());
    await isTold("node-reclaimed");
    agent.heartbeat(null);
    await isTold("node-notice-withdrawn");
    expect(await node()).toMatchObject({ scheduling: "open" });
    expect((await node()).notice).toBeUndefined();
    await running(1);
  });

  test("is not opened by the operator, who is told so", async () => {
    await post("m1/cordon", { reason: "new disk" });
    agent.heartbeat(reclaim());
    await isTold("node-reclaimed");
    expect((await node()).schedulingReason).toMatch(/its cloud takes the machine .*; cordoned by the operator: new disk$/);
    expect((await post("m1/uncordon")).body).toMatchObject({
      scheduling: "cordoned",
      schedulingReason: expect.stringContaining("its cloud takes the machine"),
    });
    expect((await eventOf("node-uncordoned"))?.message).toContain("it takes no tasks all the same");
  });

  test("is another one when its successor bears its name", async () => {
    agent.heartbeat(reclaim());
    await isTold("node-reclaimed");
    await master.declare("m1", { ...big, labels: { rack: "7" } });
    expect(await scheduling()).toBe("cordoned");
    await master.declare("m1", { ...big, providerId: "i-0successor" });
    expect(await scheduling()).toBe("open");
  });
});

describe("a node that its cloud advises to leave", () => {
  test("gets no new task and keeps those it has, until the advice is withdrawn", async () => {
    await running(1);
    agent.heartbeat(advice);
    await isTold("node-rebalance");
    await master.call("POST", "/v1/jobs", { body: aJob({ name: "after" }) });
    await until("it waits", async () => (await master.job("after")).reason.includes("1 node cordoned by its cloud's advice"));
    await master.clock.advance(1000);
    expect((await master.job("train")).indexes[0]?.attempts).toMatchObject([{ state: "running" }]);
    expect((await eventOf("node-rebalance"))?.message).toContain("it gets no new task and keeps its 1 task");
    agent.heartbeat(null);
    await agent.run("after.0.1");
  });

  test("stays cordoned when the operator has cordoned it too", async () => {
    await post("m1/cordon", { reason: "new disk" });
    agent.heartbeat(advice);
    await isTold("node-rebalance");
    agent.heartbeat(null);
    await isTold("node-notice-withdrawn");
    expect(await node()).toMatchObject({ scheduling: "cordoned", schedulingReason: "cordoned by the operator: new disk" });
    expect((await eventOf("node-notice-withdrawn"))?.message).toContain("it stays cordoned: cordoned by the operator: new disk");
  });

  test("is opened by the operator, over the same advice, but not over a reclaim", async () => {
    agent.heartbeat(advice);
    await isTold("node-rebalance");
    expect((await post("m1/uncordon")).body).toMatchObject({ scheduling: "open" });
    await master.restart();
    agent = await connectAgent(master, identity);
    agent.heartbeat(advice);
    await running(1);
    agent.heartbeat(reclaim());
    await isTold("node-reclaimed");
    await agent.told("stop", "train.0.1");
    expect(await scheduling()).toBe("cordoned");
  });

  test("loses its tasks once the advice has become a notice", async () => {
    await running(1);
    agent.heartbeat(advice);
    await isTold("node-rebalance");
    agent.heartbeat(reclaim());
    await agent.told("stop", "train.0.1");
  });
});

describe("agents that say something else", () => {
  test("one of a former version says nothing of notices, and is served as ever", async () => {
    agent.sendText(JSON.stringify({ type: "heartbeat", sentAt: Date.now() }));
    await running(1);
    expect(await scheduling()).toBe("open");
  });

  test("a kind of notice that this master does not know is none, and the connection lives on", async () => {
    agent.sendText(JSON.stringify({ type: "heartbeat", sentAt: Date.now(), notice: { kind: "eclipse", at: 1, text: "dark" } }));
    agent.sendText(JSON.stringify({ type: "heartbeat", sentAt: Date.now(), notice: "soon" }));
    await running(1);
    expect(agent.closeCode).toBeUndefined();
    expect(await kinds()).not.toContain("node-rebalance");
  });
});
