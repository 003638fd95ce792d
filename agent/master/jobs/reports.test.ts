import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connectAgent, type FakeAgent, joinedAgent, joinNode } from "../testing/fake-agent.ts";
import { aJob, type TestMaster, testMaster } from "../testing/test-master.ts";
import { until } from "../testing/until.ts";

describe("reports of agents", () => {
  let master: TestMaster;
  let agent: FakeAgent;
  beforeEach(async () => {
    master = await testMaster();
    agent = await joinedAgent(master, "m1");
  });
  afterEach(() => master.end());

  const submit = (fields: Record<string, unknown> = {}) => master.call("POST", "/v1/jobs", { body: aJob({ name: "train", ...fields }) });

  test("a task is assigned, runs and succeeds; `recorded` comes when that is durable", async () => {
    await submit({ env: { A: "1" }, timeoutMs: 5000 });
    const task = await agent.run("train.0.1");
    expect(task).toMatchObject({
      job: "train",
      index: 0,
      attempt: 1,
      command: ["true"],
      env: { A: "1" },
      graceMs: 10_000,
      timeoutMs: 5000,
    });
    agent.report({ taskId: "train.0.1", state: "running", startedAt: 111 });
    await until("running", async () => (await master.job("train")).indexes[0]?.attempts[0]?.state === "running");
    agent.report({ taskId: "train.0.1", state: "succeeded", startedAt: 111, finishedAt: 222, exitCode: 0 });
    await agent.told("recorded", "train.0.1");
    const job = await master.job("train");
    expect(job).toMatchObject({ state: "succeeded", reason: "its task succeeded", counts: { succeeded: 1, active: 0 } });
    expect(job.indexes[0]?.attempts).toMatchObject([{ state: "succeeded", startedAt: 111, finishedAt: 222, exitCode: 0, node: "m1" }]);
    expect((await master.events("job/train")).map(({ kind }) => kind)).toEqual([
      "job-submitted",
      "task-placed",
      "task-started",
      "task-finished",
      "job-finished",
    ]);
  });

  test("a failed task is tried again as often as was asked, then the job fails with the reason", async () => {
    await submit({ retries: 2 });
    for (const attempt of [1, 2, 3]) {
      if (attempt === 3) {
        // The first retry comes at once, the next after half a second, then a second and so on.
        const waiting = await master.job("train");
        expect(waiting).toMatchObject({ state: "pending", reason: "waits 500 ms before attempt 3" });
        expect((await master.call("GET", "/v1/explain?subject=job/train")).body.summary).toContain("it waits 500 ms before attempt 3");
        await master.clock.advance(500);
      }
      await agent.run(`train.0.${attempt}`);
      agent.report({ taskId: `train.0.${attempt}`, state: "failed", exitCode: 3, reason: "exit code 3" });
      await agent.told("recorded", `train.0.${attempt}`);
    }
    await until("failed", async () => (await master.job("train")).state === "failed");
    expect(await master.job("train")).toMatchObject({ reason: "exit code 3", counts: { failed: 1 } });
    expect((await master.events("job/train")).filter(({ kind }) => kind === "task-retried")).toHaveLength(2);
  });

  test("attempts lost by their node do not count as failures, but end some time", async () => {
    await submit({ retries: 0 });
    for (let attempt = 1; attempt <= 20; attempt += 1) {
      await agent.run(`train.0.${attempt}`);
      agent.report({ taskId: `train.0.${attempt}`, state: "lost", reason: "the host was rebooted" });
    }
    await until("failed", async () => (await master.job("train")).state === "failed");
    expect((await master.job("train")).reason).toBe("the host was rebooted");
  });

  test("a host that can't start a task pauses its node and costs the job nothing", async () => {
    await submit({ retries: 0 });
    const pass = async (seconds: number) => {
      for (let second = 0; second < seconds; second += 2) {
        await master.clock.advance(2000);
        agent.heartbeat();
        await until("heard", async () => (await master.call("GET", "/v1/nodes/m1")).body.lastHeartbeatAt === master.clock.now());
      }
    };
    await agent.run("train.0.1");
    agent.report({ taskId: "train.0.1", state: "lost", fault: "node", reason: "no space left on device" });
    await agent.told("recorded", "train.0.1");
    await pass(12);
    const { rejected } = (await master.call("GET", "/v1/explain?subject=job/train")).body;
    expect(rejected).toEqual([{ reason: "could not start a task 12 s ago: no space left on device", nodes: ["m1"] }]);
    expect((await master.events("node/m1")).map(({ kind }) => kind)).toContain("node-paused");
    expect((await master.call("GET", "/v1/explain?subject=environment")).body).toMatchObject({
      summary: "test takes jobs; 1 of 1 node ready; 0 tasks active, 1 pending",
      rejected: [{ nodes: ["m1"] }],
    });
    expect(agent.received.filter(({ type }) => type === "run")).toHaveLength(1);
    await pass(20);
    await agent.run("train.0.2");
    agent.report({ taskId: "train.0.2", state: "succeeded", exitCode: 0 });
    await until("succeeded", async () => (await master.job("train")).state === "succeeded");
    expect((await master.job("train")).indexes[0]?.attempts[0]).toMatchObject({ state: "lost", fault: "node" });
  });

  test("a task the agent is just starting when it connects anew is not lost", async () => {
    const identity = await joinNode(master, "m2");
    agent.cut();
    const first = await connectAgent(master, identity);
    await submit({ nodePool: "rack" });
    await first.run("train.0.1");
    const again = await connectAgent(master, identity, { measured: { cpu: 3000, memory: 8192, disk: 0, gpus: [] } });
    again.report({ taskId: "train.0.1", state: "running" });
    await until("running", async () => (await master.job("train")).indexes[0]?.attempts[0]?.state === "running");
    await master.call("GET", "/v1/jobs");
    expect((await master.job("train")).indexes[0]?.attempts).toMatchObject([{ state: "running" }]);
  });

  test("a repeated end is confirmed again and changes nothing", async () => {
    await submit();
    await agent.run("train.0.1");
    const end = { taskId: "train.0.1", state: "succeeded" as const, exitCode: 0 };
    agent.report(end);
    agent.report(end);
    agent.report({ taskId: "train.0.1", state: "failed", exitCode: 1 });
    await until("three times recorded", () => agent.received.filter(({ type }) => type === "recorded").length === 3);
    expect((await master.job("train")).indexes[0]?.attempts).toMatchObject([{ state: "succeeded" }]);
    expect((await master.events("job/train")).filter(({ kind }) => kind === "task-finished")).toHaveLength(1);
  });

  test("a node can't report for a task of another node", async () => {
    const other = await joinedAgent(master, "m2");
    await submit();
    const owner = await until("run", () => [agent, other].find((one) => one.received.some(({ type }) => type === "run")));
    const stranger = owner === agent ? other : agent;
    stranger.report({ taskId: "train.0.1", state: "succeeded", exitCode: 0 });
    await stranger.told("recorded", "train.0.1");
    expect((await master.job("train")).state).toBe("running");
    owner.report({ taskId: "train.0.1", state: "failed", exitCode: 9 });
    await until("failed", async () => (await master.job("train")).state === "failed");
  });

  test("a running copy nobody wants is stopped; an unknown end is confirmed", async () => {
    agent.report({ taskId: "ghost.0.1", state: "running" });
    await agent.told("stop", "ghost.0.1");
    agent.report({ taskId: "ghost.0.2", state: "succeeded" });
    await agent.told("recorded", "ghost.0.2");
    agent.report({ taskId: "no task id", state: "failed" });
    await agent.told("recorded", "no task id");
  });

  test("after a reconnect each end says what it knows, and both agree", async () => {
    const identity = await joinNode(master, "m3");
    agent.cut();
    await until("m1 is away", async () => (await master.call("GET", "/v1/explain?subject=node/m1")).status === 200);
    const first = await connectAgent(master, identity);
    await submit({ name: "known" });
    await submit({ name: "forgotten", retries: 1 });
    await submit({ name: "unsent" });
    for (const name of ["known", "forgotten", "unsent"]) await first.run(`${name}.0.1`);
    first.report({ taskId: "known.0.1", state: "running" });
    first.report({ taskId: "forgotten.0.1", state: "running" });
    await until("both run", async () => {
      const states = await Promise.all(["known", "forgotten"].map(async (name) => (await master.job(name)).indexes[0]?.attempts[0]?.state));
      return states.every((state) => state === "running");
    });
    first.cut();
    const again = await connectAgent(master, identity, {
      tasks: [
        { taskId: "known.0.1", state: "running" },
        { taskId: "stray.0.1", state: "running" },
        { taskId: "stray.0.2", state: "failed", exitCode: 1 },
      ],
    });
    await again.run("unsent.0.1");
    await again.run("forgotten.0.2");
    await again.told("stop", "stray.0.1");
    await again.told("recorded", "stray.0.2");
    const forgotten = await master.job("forgotten");
    expect(forgotten.indexes[0]?.attempts[0]).toMatchObject({ state: "lost", reason: "the agent does not know it" });
    expect((await master.job("known")).indexes[0]?.attempts).toHaveLength(1);
    expect(again.received.filter((one) => one.type === "run").map((one) => one.task.taskId)).not.toContain("known.0.1");
  });

  test("a cancelled job is stopped with its grace and never tried again", async () => {
    await submit({ count: 6, retries: 3, graceMs: 1234 });
    await agent.run("train.3.1");
    expect((await master.call("POST", "/v1/jobs/train/cancel")).body).toMatchObject({ counts: { pending: 0, cancelled: 2, active: 4 } });
    for (const index of [0, 1, 2, 3]) {
      expect(await agent.told("stop", `train.${index}.1`)).toMatchObject({ graceMs: 1234, reason: "cancelled by the user" });
      agent.report({ taskId: `train.${index}.1`, state: index === 0 ? "succeeded" : index === 1 ? "failed" : "cancelled", exitCode: 143 });
    }
    await until("cancelled", async () => (await master.job("train")).state === "cancelled");
    expect((await master.job("train")).counts).toMatchObject({ succeeded: 1, cancelled: 5, failed: 0 });
    expect(agent.received.filter(({ type }) => type === "run")).toHaveLength(4);
    expect((await master.call("POST", "/v1/jobs/train/cancel")).status).toBe(200);
  });
});
