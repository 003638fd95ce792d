import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { Machine } from "../../agent/contract/machine.ts";
import type { NodeView } from "../../agent/contract/node.ts";
import { noResources } from "../../agent/contract/resources.ts";
import type { Attempt } from "../../agent/contract/workload.ts";
import { type FakeAgent, joinedAgent } from "../../agent/master/testing/fake-agent.ts";
import { aJob, type TestMaster, testMaster } from "../../agent/master/testing/test-master.ts";
import { until } from "../../agent/master/testing/until.ts";
import type { MachineStatus } from "../../providers/provider.ts";
import { type Emptying, emptyNode, leavePool } from "./leave-pool.ts";

interface Told {
  readonly calls: string[];
  readonly statuses: string[];
}

/** A pool whose node has these many tasks each time it is asked; undefined: the pool has no such node (any more). */
function emptying(counts: readonly (number | undefined)[], over: Partial<Emptying> = {}) {
  const told: Told = { calls: [], statuses: [] };
  const left = [...counts];
  const next = async (call: string): Promise<NodeView> => {
    told.calls.push(call);
    const tasks = left.length > 1 ? left.shift() : left[0];
    if (tasks === undefined) throw new SpillwayError("there is no node", { code: "not-found" });
    return viewOf(tasks);
  };
  const client = {
    closing: () => Promise.reject(new Error("not asked here")),
    cordonNode: (name: string) => next(`cordon ${name}`),
    drainNode: (name: string, body: { deadlineMs?: number } = {}) => next(`drain ${name} ${body.deadlineMs}`),
    node: (name: string) => next(`look ${name}`),
    attempts: async () => [
      { taskId: "train.0.1", node: "rack-3", state: "running" as const },
      { taskId: "other.0.1", node: "rack-4", state: "running" as const },
    ],
  };
  let now = 0;
  const done = emptyNode((act) => act(client), {
    name: "rack-3",
    environment: "prod",
    patienceMs: 60_000,
    pollMs: 1,
    now: () => (now += 10_000),
    context: { status: (text) => told.statuses.push(text), signal: new AbortController().signal },
    ...over,
  });
  return { done, told };
}

function viewOf(tasks: number): NodeView {
  return {
    name: "rack-3",
    state: "ready",
    scheduling: "cordoned",
    stateReason: "",
    stateSince: 0,
    declaration: { pool: "rack", provider: "ssh", providerId: "h", labels: {}, attributes: {} },
    capacity: noResources,
    used: noResources,
    tasks,
  };
}

describe("a node that is removed while its environment goes on", () => {
  test("gets no new task, and those it has may end; how many are left and how long is told", async () => {
    const { done, told } = emptying([2, 1, 0]);
    await done;
    expect(told.calls).toEqual(["cordon rack-3", "look rack-3", "look rack-3"]);
    expect(told.statuses).toEqual(["draining, 2 tasks left, 40 s", "draining, 1 task left, 20 s"]);
  });

  test("without tasks goes at once", async () => {
    const { done, told } = emptying([0]);
    await done;
    expect(told.calls).toEqual(["cordon rack-3"]);
  });

  test("whose tasks outlast the deadline stays, cordoned; what runs and what to do is said", async () => {
    const error = await emptying([1]).done.catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: "drain-unfinished",
      message: expect.stringContaining("1 task still runs on it (train.0.1) after 1 min"),
    });
    expect((error as SpillwayError).hint).toContain("spillway nodes remove rack-3 --force --env prod");
    expect((error as SpillwayError).hint).toContain("spillway nodes uncordon rack-3");
  });

  test("by force loses its tasks at once: they are tried again elsewhere", async () => {
    const { done, told } = emptying([3, 0], { patienceMs: 0 });
    await done;
    expect(told.calls).toEqual(["drain rack-3 0", "look rack-3"]);
  });

  test("that the pool does not know, or not any more, is as good as empty", async () => {
    await emptying([undefined]).done;
    await emptying([1, undefined]).done;
  });

  test("stays when the operator cancels", async () => {
    const cancelled = new AbortController();
    const { done } = emptying([1], { context: { status: () => cancelled.abort(), signal: cancelled.signal } });
    await expect(done).rejects.toMatchObject({ code: "cancelled" });
  });
});

describe("against a real master", () => {
  let master: TestMaster;
  let agent: FakeAgent;
  const running = { taskId: "train.0.1", state: "running" } as const;
  const context = { status: () => undefined, log: () => undefined, sentence: () => undefined, signal: new AbortController().signal };

  beforeEach(async () => {
    master = await testMaster();
    agent = await joinedAgent(master, "m1");
    await master.call("POST", "/v1/jobs", { body: aJob({ name: "train", retries: 1 }) });
    await agent.run(running.taskId);
    agent.report(running);
    await until("running", async () => (await attempt()).state === "running");
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await master.end();
  });

  const attempt = async () => (await master.job("train")).indexes[0]?.attempts[0] as Attempt;
  const leave = (power: MachineStatus = "running", burst?: string) =>
    leavePool(
      {
        endpoint: `https://127.0.0.1:${master.port}`,
        caCert: master.ca,
        adminToken: "test-admin-token",
        environment: "prod",
        machine: { ...aMachine, ...(burst === undefined ? {} : { burst }) },
      },
      power,
      context,
    );
  const isThere = async () => (await master.call("GET", "/v1/nodes/m1")).status === 200;

  test("a node leaves when its task has ended, which is recorded as it ended", async () => {
    const left = leave();
    await until("cordoned", async () => (await master.call("GET", "/v1/nodes/m1")).body.scheduling === "cordoned");
    agent.report({ taskId: running.taskId, state: "succeeded", exitCode: 0 });
    await left;
    expect(await isThere()).toBe(false);
    expect(await attempt()).toMatchObject({ state: "succeeded" });
    await until("told to leave", () => agent.received.some(({ type }) => type === "leave"));
  });

  test("a node whose task goes on stays", async () => {
    vi.stubEnv("SPILLWAY_DRAIN", "1s");
    const error = await leave().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "drain-unfinished", message: expect.stringContaining("(train.0.1) after 1 s") });
    expect(await isThere()).toBe(true);
    expect(await attempt()).toMatchObject({ state: "running" });
  });

  test.each([
    ["by force", "force", "running", undefined],
    ["when its machine has no power", "", "stopped", undefined],
    ["when its burst ends", "", "running", "b-1"],
  ] as const)("nothing is waited for %s", async (_when, drain, power, burst) => {
    vi.stubEnv("SPILLWAY_DRAIN", drain);
    await leave(power, burst);
    expect(await isThere()).toBe(false);
    expect(await attempt()).toMatchObject({ state: "lost" });
  });

  test("nothing is waited for in a teardown, which stops all tasks by itself", async () => {
    await master.call("POST", "/v1/close", { body: { reason: "the environment is being destroyed", graceMs: 1000 } });
    await leave();
    expect(await isThere()).toBe(false);
  });
});

const aMachine: Machine = {
  name: "m1",
  pool: "rack",
  provider: "ssh",
  providerId: "ssh://192.0.2.1:22",
  host: "192.0.2.1",
  port: 22,
  user: "ops",
  credential: { kind: "agent" },
  labels: {},
  attributes: {},
};
