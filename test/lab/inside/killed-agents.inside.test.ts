/** Agents that are killed in the middle of things: no task runs twice, no exit code is lost. Within a lab host. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { noResources } from "../../../agent/contract/resources.ts";
import { type TaskReport, type TaskSpec, taskIdOf } from "../../../agent/contract/workload.ts";
import { isFinished } from "../../../agent/node/executor/executor.ts";
import { systemdExecutor } from "../../../agent/node/executor/systemd.ts";
import { createLog } from "../../../agent/node/log.ts";
import { waitUntil } from "../../support/wait-until.ts";

const program = join(import.meta.dirname, "agent-process.ts");
let stateDir: string;
let running: ChildProcess[];

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "spillway-killed-"));
  running = [];
});
afterEach(async () => {
  for (const agent of running) agent.kill("SIGKILL");
  const log = createLog("node/n1", () => undefined);
  const executor = systemdExecutor({ stateDir, node: "n1", bootId: "any", log, memoryIsEnforced: true });
  await executor.readopt();
  await executor.stopAll("the test is over");
  executor.close();
  rmSync(stateDir, { recursive: true, force: true });
});

let jobs = 0;
/** Each run of the command leaves a line. */
function someTasks(count: number, script: (index: number) => string): TaskSpec[] {
  const job = `killed-${++jobs}`;
  return Array.from({ length: count }, (_, index) => ({
    taskId: taskIdOf(job, index, 1),
    job,
    index,
    attempt: 1,
    command: ["sh", "-c", `echo ran >>runs; ${script(index)}`],
    env: {},
    resources: noResources,
    graceMs: 2000,
  }));
}

const runsOf = ({ taskId }: TaskSpec) => readFileSync(join(stateDir, "tasks", taskId, "work", "runs"), "utf8");

function startAgent(tasks: readonly TaskSpec[], env: Record<string, string> = {}) {
  const agent = spawn(process.execPath, [program, stateDir], { stdio: ["pipe", "pipe", "inherit"], env: { ...process.env, ...env } });
  running.push(agent);
  agent.stdin.end(JSON.stringify(tasks));
  const reports: (TaskReport | { state: "ready" })[] = [];
  createInterface(agent.stdout).on("line", (line) => reports.push(JSON.parse(line)));
  // `close`, not `exit`: only then all it said has been read.
  const ended = once(agent, "close").then(([code, signal]) => code ?? signal);
  return { agent, reports, ended };
}

test("kill -9 of the agent 20 times under 10 systemd tasks: no task restarts, no exit code is lost", { timeout: 180_000 }, async () => {
  // Five end while agents are killed, five after the last kill.
  const wait = (index: number) => (index < 5 ? `sleep ${index * 2}` : "until [ -e go ]; do sleep 0.05; done");
  const tasks = someTasks(10, (index) => `${wait(index)}; exit ${index + 3}`);
  for (let kill = 0; kill < 20; kill++) {
    const { agent, reports, ended } = startAgent(tasks);
    await waitUntil("the agent has taken over", () => reports.length > 0);
    // A little later each time: while it starts tasks, while it watches them.
    await new Promise((resolve) => setTimeout(resolve, kill * 17));
    agent.kill("SIGKILL");
    expect(await ended).toBe("SIGKILL");
  }
  for (const { taskId } of tasks) writeFileSync(join(stateDir, "tasks", taskId, "work", "go"), "");
  const last = startAgent(tasks);
  expect(await last.ended).toBe(0);
  const finished = new Map(last.reports.flatMap((report) => ("taskId" in report && isFinished(report) ? [[report.taskId, report]] : [])));
  for (const task of tasks) {
    expect(finished.get(task.taskId)).toMatchObject({ state: "failed", exitCode: task.index + 3, reason: `exited with ${task.index + 3}` });
    expect(runsOf(task)).toBe("ran\n");
  }
});

test.each(["task.spec:before", "task.spec:after", "task.start:before", "task.start:after"])(
  "an agent killed at %s: the next one runs the command once and tells its end",
  async (crashAt) => {
    const [task] = someTasks(1, () => "exit 4") as [TaskSpec];
    expect(await startAgent([task], { SPILLWAY_CRASH_AT: crashAt }).ended).toBe("SIGKILL");
    const { reports, ended } = startAgent([task]);
    expect(await ended).toBe(0);
    expect(reports.at(-1)).toMatchObject({ state: "failed", exitCode: 4 });
    expect(runsOf(task)).toBe("ran\n");
  },
);

test("an agent killed while systemd makes the unit does not make it twice", async () => {
  const tasks = someTasks(6, (index) => `sleep 0.5; exit ${index + 1}`);
  const first = startAgent(tasks);
  await waitUntil("the first task runs", () => first.reports.length > 1);
  first.agent.kill("SIGKILL"); // others are on their way
  await first.ended;
  const { reports, ended } = startAgent(tasks);
  expect(await ended).toBe(0);
  for (const task of tasks) {
    expect(runsOf(task)).toBe("ran\n");
    expect(reports).toContainEqual(expect.objectContaining({ taskId: task.taskId, state: "failed", exitCode: task.index + 1 }));
  }
});
