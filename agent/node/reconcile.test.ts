import { expect, test } from "vitest";
import { noResources } from "../contract/resources.ts";
import type { AgentMessage } from "../contract/wire.ts";
import type { TaskReport, TaskSpec } from "../contract/workload.ts";
import type { Executor } from "./executor/executor.ts";
import { createLog } from "./log.ts";
import { overdueReports, reconciler, repeatAfterMs } from "./reconcile.ts";

const running: TaskReport = { taskId: "job.0.1", state: "running", startedAt: 1 };
const failed: TaskReport = { taskId: "job.0.2", state: "failed", exitCode: 3, finishedAt: 2 };
const spec: TaskSpec = {
  taskId: "job.0.1",
  job: "job",
  index: 0,
  attempt: 1,
  command: ["true"],
  env: {},
  resources: noResources,
  graceMs: 1,
};

function aNode(reports: TaskReport[] = []) {
  const calls: unknown[][] = [];
  const sent: AgentMessage[] = [];
  const told: string[] = [];
  const clock = { now: 1_000_000 };
  let listener: (report: TaskReport) => void = () => undefined;
  const executor: Executor = {
    start: async (task) => void calls.push(["start", task.taskId]),
    stop: async (...stop) => void calls.push(["stop", ...stop]),
    stopAll: async () => undefined,
    recorded: async (taskId) => void calls.push(["recorded", taskId]),
    list: () => reports,
    onReport: (given) => {
      listener = given;
      return () => undefined;
    },
    readopt: async () => undefined,
    output: () => undefined,
    close: () => undefined,
  };
  const send = (message: AgentMessage) => sent.push(message) > 0;
  const tasks = reconciler({ executor, send, log: createLog("node/m1", (line) => told.push(line)), now: () => clock.now });
  return { executor, tasks, calls, sent, told, clock, report: (report: TaskReport) => listener(report) };
}

test("each of the master's wishes is one act of the executor", async () => {
  const { tasks, calls } = aNode();
  await tasks.handle({ type: "run", task: spec });
  await tasks.handle({ type: "stop", taskId: "job.0.1", graceMs: 10, reason: "enough" });
  await tasks.handle({ type: "recorded", taskId: "job.0.1" });
  expect(calls).toEqual([
    ["start", "job.0.1"],
    ["stop", "job.0.1", 10, "enough"],
    ["recorded", "job.0.1"],
  ]);
});

test("a wish that can't be met is told, and does not break the agent", async () => {
  const { executor, tasks, told } = aNode();
  executor.start = () => Promise.reject(new Error("not a task's id"));
  await tasks.handle({ type: "run", task: spec });
  expect(told.join()).toContain("not a task's id");
});

test("every report goes to the master", () => {
  const { report, sent } = aNode();
  report(running);
  report(failed);
  expect(sent).toEqual([
    { type: "task", report: running },
    { type: "task", report: failed },
  ]);
});

test("a finished report is told again until it is recorded, a running one is not", () => {
  const { tasks, report, sent, clock } = aNode([running, failed]);
  report(failed);
  sent.length = 0;
  tasks.repeatUnrecorded();
  expect(sent).toEqual([]);
  clock.now += repeatAfterMs;
  tasks.repeatUnrecorded();
  tasks.repeatUnrecorded();
  expect(sent).toEqual([{ type: "task", report: failed }]);
});

test("a finished report that was never told is overdue at once", () => {
  expect(overdueReports([running, failed], new Map(), 5)).toEqual([failed]);
});
