import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connectAgent, type FakeAgent, type FakeIdentity, joinedAgent, joinNode } from "../testing/fake-agent.ts";
import { aJob, type TestMaster, testMaster } from "../testing/test-master.ts";
import { until } from "../testing/until.ts";

let master: TestMaster;
let identity: FakeIdentity;
let agent: FakeAgent;

beforeEach(async () => {
  master = await testMaster();
  identity = await joinNode(master, "m1");
  agent = await connectAgent(master, identity);
});
afterEach(() => master.end());

const post = (path: string, body: unknown = {}) => master.call("POST", `/v1/nodes/${path}`, { body });
const node = async (name: string) => (await master.call("GET", `/v1/nodes/${name}`)).body;
const submit = (name: string, fields: Record<string, unknown> = {}) => master.call("POST", "/v1/jobs", { body: aJob({ name, ...fields }) });
const firstAttempts = async (name: string) => (await master.job(name)).indexes[0]?.attempts;
const kinds = async () => (await master.events("node/m1")).map(({ kind }) => kind);

/** Moves the time on; the nodes in `beating` are heard all the while. */
async function pass(ms: number, beating: readonly FakeAgent[]): Promise<void> {
  for (let passed = 0; passed < ms; passed += 1000) {
    await master.clock.advance(1000);
    for (const each of beating) {
      each.heartbeat();
      await until("heard", async () => (await node(each.node)).lastHeartbeatAt === master.clock.now());
    }
  }
}

async function running(job: string): Promise<void> {
  await agent.run(`${job}.0.1`);
  agent.report({ taskId: `${job}.0.1`, state: "running" });
  await until("running", async () => (await firstAttempts(job))?.[0]?.state === "running");
}

describe("cordon", () => {
  test("a cordoned node keeps its tasks and gets no new one, until it is uncordoned", async () => {
    await submit("before");
    await running("before");
    expect((await post("m1/cordon", { reason: "new disk" })).body).toMatchObject({
      scheduling: "cordoned",
      schedulingReason: "cordoned by the operator: new disk",
      tasks: 1,
    });
    await submit("after");
    await until("it is rejected", async () => (await master.job("after")).reason.includes("1 node cordoned"));
    expect((await firstAttempts("before"))?.[0]).toMatchObject({ state: "running" });
    expect((await post("m1/uncordon")).body).toMatchObject({ scheduling: "open" });
    await agent.run("after.0.1");
    const events = await master.events("node/m1");
    expect(events.slice(-2)).toMatchObject([
      { kind: "node-cordoned", message: expect.stringContaining("by the operator (new disk): it gets no new task and keeps its 1 task") },
      { kind: "node-uncordoned", message: expect.stringContaining("takes tasks again") },
    ]);
  });

  test("what is said twice is told once", async () => {
    await post("m1/cordon", { reason: "new disk" });
    await post("m1/cordon", { reason: "new disk" });
    await post("m1/uncordon");
    await post("m1/uncordon");
    expect((await kinds()).filter((kind) => kind.includes("cordon"))).toEqual(["node-cordoned", "node-uncordoned"]);
  });

  test("it outlasts the master, the agent's hello and a new declaration", async () => {
    await post("m1/cordon", { reason: "new disk" });
    await master.restart();
    agent = await connectAgent(master, identity);
    await master.declare("m1", { labels: { rack: "7" } });
    await submit("after");
    await until("it is rejected", async () => (await master.job("after")).reason.includes("1 node cordoned"));
    expect(await node("m1")).toMatchObject({ state: "ready", scheduling: "cordoned" });
  });

  test("a node that is not there is told", async () => {
    for (const verb of ["cordon", "uncordon", "drain"]) expect((await post(`m7/${verb}`)).status).toBe(404);
  });
});

describe("drain", () => {
  test("tasks that finish in time finish, and then the node is drained", async () => {
    await submit("train");
    await running("train");
    const { body } = await post("m1/drain", { reason: "kernel", deadlineMs: 60_000 });
    expect(body).toMatchObject({ scheduling: "draining", drainDeadline: master.clock.now() + 60_000, tasks: 1 });
    await pass(30_000, [agent]);
    expect((await firstAttempts("train"))?.[0]).toMatchObject({ state: "running" });
    agent.report({ taskId: "train.0.1", state: "succeeded", exitCode: 0 });
    await agent.told("recorded", "train.0.1");
    await pass(1000, [agent]);
    expect(await node("m1")).toMatchObject({ state: "ready", scheduling: "drained", tasks: 0 });
    await until("it is told", async () => (await kinds()).includes("node-drained"));
    expect((await master.events("node/m1")).find(({ kind }) => kind === "node-draining")).toMatchObject({
      message: expect.stringContaining("(kernel): it gets no new task, its 1 task has 1 min to finish"),
    });
  });

  test("what still runs at the deadline is evicted: tried again elsewhere, stopped here, and no retry is used up", async () => {
    await submit("train", { graceMs: 7000 });
    await running("train");
    const other = await joinedAgent(master, "m2");
    await post("m1/drain", { reason: "kernel", deadlineMs: 5000 });
    await pass(4000, [agent, other]);
    expect((await firstAttempts("train"))?.[0]).toMatchObject({ state: "running" });
    await pass(1000, [agent, other]);
    await other.run("train.0.2");
    expect(await agent.told("stop", "train.0.1")).toMatchObject({ graceMs: 7000, reason: expect.stringContaining("evicted: ") });
    expect((await firstAttempts("train"))?.[0]).toMatchObject({
      state: "lost",
      reason: "evicted: its node is drained by the operator: kernel",
      fault: "node",
    });
    await pass(1000, [agent, other]);
    expect(await node("m1")).toMatchObject({ scheduling: "drained" });
    await until("it is told", async () => (await kinds()).includes("node-drained"));
    expect(await kinds()).toContain("node-evicted");
    agent.report({ taskId: "train.0.1", state: "cancelled" });
    await agent.told("recorded", "train.0.1");
    other.report({ taskId: "train.0.2", state: "succeeded", exitCode: 0 });
    await other.told("recorded", "train.0.2");
    expect((await master.job("train")).state).toBe("succeeded");
  });

  test("with no time at all, its tasks are evicted at once", async () => {
    await submit("train");
    await running("train");
    await post("m1/drain", { deadlineMs: 0 });
    await agent.told("stop", "train.0.1");
    expect(await node("m1")).toMatchObject({ scheduling: "drained" });
  });

  test("uncordon ends it, and its tasks stay", async () => {
    await submit("train");
    await running("train");
    await post("m1/drain", { deadlineMs: 5000 });
    expect((await post("m1/uncordon")).body).toMatchObject({ scheduling: "open" });
    await pass(10_000, [agent]);
    expect((await firstAttempts("train"))?.[0]).toMatchObject({ state: "running" });
    expect((await master.events("node/m1")).find(({ kind }) => kind === "node-uncordoned")).toMatchObject({
      message: expect.stringContaining("its drain ended with 1 task left"),
    });
  });

  test("a newer deadline counts, and a cordon does not end a drain", async () => {
    await submit("train");
    await running("train");
    await post("m1/drain", { deadlineMs: 60_000 });
    expect((await post("m1/drain", { deadlineMs: 120_000 })).body.drainDeadline).toBe(master.clock.now() + 120_000);
    expect((await post("m1/cordon")).body).toMatchObject({ scheduling: "draining" });
  });

  test("a deadline that passed while the master was down is kept when it is back, also for a node that is away", async () => {
    await submit("train");
    await running("train");
    await post("m1/drain", { deadlineMs: 5000 });
    master.clock.jump(60_000);
    await master.restart();
    await master.clock.advance(300);
    await until("evicted", async () => (await firstAttempts("train"))?.[0]?.state === "lost");
    const back = await connectAgent(master, identity, { tasks: [{ taskId: "train.0.1", state: "running" }] });
    await back.told("stop", "train.0.1");
    expect(await node("m1")).toMatchObject({ scheduling: "drained" });
  });
});
