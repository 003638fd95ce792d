import { expect, it } from "vitest";
import type { Client } from "../../../agent/contract/client.ts";
import { SpillwayError } from "../../../agent/contract/errors.ts";
import type { NodeView } from "../../../agent/contract/node.ts";
import { type GateOptions, masterWell, nodesWell, runningTasks } from "./gate.ts";
import { aNode } from "./testing/builders.ts";

/** A pool that is asked every 200 ms of a clock that nobody waits for; `at` says how it is then. */
function aGate(at: (ms: number) => Partial<Record<keyof Client, unknown>>, timeoutMs = 10_000) {
  let now = 0;
  const told: string[] = [];
  const answers = (name: keyof Client) => async () => {
    const answer = at(now)[name];
    if (answer instanceof Error) throw answer;
    return answer;
  };
  const client = Object.fromEntries((["health", "nodes", "attempts", "jobs", "job"] as const).map((name) => [name, answers(name)]));
  const options: GateOptions = {
    client: client as unknown as Client,
    timeoutMs,
    signal: new AbortController().signal,
    tell: (node, text) => told.push(`${node} ${text}`),
    now: () => now,
    wait: async (ms) => {
      now += ms;
    },
  };
  return { options, told, elapsed: () => now };
}

/** A node whose new agent connects at `since` and then beats once a second. */
function beating(name: string, now: number, since = 1000, over: Partial<NodeView> = {}): NodeView {
  if (now < since) return aNode(name, { bundle: "old" });
  return aNode(name, { bundle: "new", agentSince: since, lastHeartbeatAt: since + Math.floor((now - since) / 1000) * 1000, ...over });
}

const patient = (node: string, tasks: readonly string[] = []) => ({ node, bundle: "new", tasks });

it("finds a node well after three heartbeats of its new agent", async () => {
  const { options, told, elapsed } = aGate((now) => ({ nodes: [beating("a", now)], attempts: [] }));
  expect(await nodesWell([patient("a")], options)).toEqual(new Map([["a", undefined]]));
  expect(elapsed()).toBeGreaterThanOrEqual(4000);
  expect(told).toEqual([
    "a its agent has not joined with the bundle new",
    "a 0 of 3 heartbeats",
    "a health 1/3",
    "a health 2/3",
    "a health 3/3",
  ]);
});

it("does not wait for a task that has ended, and finds a node sick at once that has lost one", async () => {
  const job = (state: string) => ({ indexes: [{ index: 0, attempts: [{ taskId: "job.0.1", state }] }] });
  const pool = (state: string) => (now: number) => ({ nodes: [beating("a", now)], attempts: [], job: job(state) });
  expect((await nodesWell([patient("a", ["job.0.1"])], aGate(pool("succeeded")).options)).get("a")).toBeUndefined();
  const sick = aGate(pool("lost"));
  expect((await nodesWell([patient("a", ["job.0.1"])], sick.options)).get("a")).toBe("1 of 1 running tasks were not taken over (job.0.1)");
  expect(sick.elapsed()).toBeLessThan(5000);
});

it("gives a node that never comes its time, and no more", async () => {
  const { options, elapsed } = aGate((now) => ({ nodes: [beating("a", now, 99_999), beating("b", now)], attempts: [] }));
  const verdicts = await nodesWell([patient("a"), patient("b")], options);
  expect(verdicts.get("b")).toBeUndefined();
  expect(verdicts.get("a")).toBe("it was not well within 10 s: its agent has not joined with the bundle new");
  expect(elapsed()).toBe(10_000);
});

it("finds an agent sick that crashes again and again, though it joins each time", async () => {
  const crashing = (now: number) => beating("a", now, Math.max(1000, Math.floor(now / 2000) * 2000));
  const { options } = aGate((now) => ({ nodes: [crashing(now)], attempts: [] }));
  expect((await nodesWell([patient("a")], options)).get("a")).toMatch(/^it was not well within 10 s/);
});

const silent = new SpillwayError("the master can't be reached", { code: "master-unreachable" });

it("finds a master well that is back with the new bundle and hears its nodes", async () => {
  const { options, told } = aGate((now) =>
    now < 1000
      ? { health: silent }
      : { health: { bundle: "new", pid: 2 }, nodes: [now < 2000 ? aNode("a", { state: "suspect" }) : aNode("a")], attempts: [] },
  );
  expect(await masterWell({ bundle: "new", pid: 1, nodes: ["a"], tasks: [] }, options)).toBeUndefined();
  expect(told).toEqual(["master the master can't be reached", "master it does not hear a yet"]);
});

it("knows a master of a version before, which does not say its bundle, by its process", async () => {
  const pool = (pid: number) => aGate(() => ({ health: { pid }, nodes: [], attempts: [] })).options;
  expect(await masterWell({ bundle: "old", pid: 1, nodes: [], tasks: [] }, pool(2))).toBeUndefined();
  expect(await masterWell({ bundle: "old", pid: 1, nodes: [], tasks: [] }, pool(1))).toMatch(/does not run the bundle old yet/);
});

it("asks a master of a version before for its jobs, since it has no list of attempts", async () => {
  const missing = new SpillwayError("there is no such thing in this API", { code: "not-found" });
  const attempts = [
    { taskId: "job.0.1", node: "a", state: "lost" },
    { taskId: "job.0.2", node: "b", state: "running" },
  ];
  const { options } = aGate(() => ({ attempts: missing, jobs: [{ id: "job" }], job: { indexes: [{ state: "active", attempts }] } }));
  expect(await runningTasks(options.client)).toEqual(new Map([["b", ["job.0.2"]]]));
});

it("ends when the operator cancels", async () => {
  const { options } = aGate(() => ({ nodes: [] }));
  await expect(nodesWell([patient("a")], { ...options, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: "cancelled" });
});
