import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { connectAgent, type FakeIdentity, joinNode } from "../testing/fake-agent.ts";
import { aJob, type TestMaster, testMaster } from "../testing/test-master.ts";
import { until } from "../testing/until.ts";
import { rekeyingMs } from "./rekeyed.ts";

describe("a master under another root CA than before", () => {
  let master: TestMaster;
  let former: FakeIdentity;
  const running = { taskId: "train.0.1", state: "running" } as const;

  /** One node, with a task that runs, and then a new root. */
  beforeEach(async () => {
    master = await testMaster();
    former = await joinNode(master, "m1");
    const agent = await connectAgent(master, former);
    await master.call("POST", "/v1/jobs", { body: aJob({ name: "train" }) });
    await agent.run(running.taskId);
    agent.report(running);
    await until("running", async () => (await attempts())[0]?.state === "running");
    await master.rekey();
    await until("noticed", async () => (await master.events("environment")).some(({ kind }) => kind === "authority-changed"));
  });
  afterEach(() => master.end());

  const attempts = async () => (await master.job("train")).indexes[0]?.attempts ?? [];
  const stateOf = async (name: string) => (await master.call("GET", `/v1/nodes/${name}`)).body.state as string;

  test("does not let agents of the former root in, and keeps their tasks for as long as it takes to join them anew", async () => {
    await expect(connectAgent(master, former)).rejects.toThrow("403");
    await master.clock.advance(120_000);
    expect(await stateOf("m1")).toBe("disconnected");
    expect(await attempts()).toMatchObject([{ taskId: running.taskId, state: "running" }]);
  });

  test("takes over the tasks of a node that joins anew: none is started again", async () => {
    await master.clock.advance(90_000);
    const agent = await connectAgent(master, await joinNode(master, "m1"), { tasks: [running] });
    await until("ready", async () => (await stateOf("m1")) === "ready");
    agent.report({ taskId: running.taskId, state: "succeeded", exitCode: 0 });
    await until("done", async () => (await master.job("train")).state === "succeeded");
    expect(await attempts()).toHaveLength(1);
  });

  test("is patient for a while only, also when it is restarted meanwhile", async () => {
    await master.clock.advance(60_000);
    await master.restart();
    await master.clock.advance(90_000);
    expect(await stateOf("m1")).toBe("disconnected");
    await master.clock.advance(rekeyingMs);
    expect(await stateOf("m1")).toBe("lost");
  });

  test("is as strict as ever with a node that was heard since", async () => {
    const agent = await connectAgent(master, await joinNode(master, "m1"), { tasks: [running] });
    agent.cut();
    await master.clock.advance(61_000);
    expect(await stateOf("m1")).toBe("lost");
  });
});
