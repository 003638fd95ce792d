import { afterEach, beforeEach, expect, test } from "vitest";
import { attemptList, health } from "../../contract/api.ts";
import { joinedAgent } from "../testing/fake-agent.ts";
import { aJob, type TestMaster, testMaster } from "../testing/test-master.ts";
import { until } from "../testing/until.ts";

let master: TestMaster;
beforeEach(async () => {
  master = await testMaster({ bundle: "b-1" });
});
afterEach(() => master.end());

const attempts = async () => attemptList.parse((await master.call("GET", "/v1/attempts")).body).attempts;

test("what runs is told with its node until it has ended", async () => {
  const agent = await joinedAgent(master, "m1");
  await master.call("POST", "/v1/jobs", { body: aJob({ name: "train" }) });
  await agent.run("train.0.1");
  agent.report({ taskId: "train.0.1", state: "running" });
  await until("it runs", async () => (await attempts())[0]?.state === "running");
  expect(await attempts()).toEqual([{ taskId: "train.0.1", node: "m1", state: "running" }]);
  agent.report({ taskId: "train.0.1", state: "succeeded", exitCode: 0 });
  await until("it has ended", async () => (await attempts()).length === 0);
});

test("a node tells since when its agent is connected, and the master which bundle it runs", async () => {
  const agent = await joinedAgent(master, "m1");
  const since = async () => (await master.call("GET", "/v1/nodes/m1")).body.agentSince as number;
  const first = await since();
  expect(first).toBeGreaterThan(0);
  agent.heartbeat();
  expect(await since()).toBe(first);
  await master.clock.advance(1000);
  await joinedAgent(master, "m1");
  await until("it has connected anew", async () => (await since()) > first);
  expect(health.parse((await master.call("GET", "/v1/health")).body).bundle).toBe("b-1");
});
