/** What the process executor keeps on disk, and what it makes of a disk that fails; test/contract holds it to what every executor does. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { noResources } from "../../contract/resources.ts";
import type { TaskReport, TaskSpec } from "../../contract/workload.ts";
import { createLog } from "../log.ts";
import { until } from "../testing/until.ts";
import { type Executor, isFinished } from "./executor.ts";
import { processExecutor } from "./process.ts";

const taskSupervisor = resolve(import.meta.dirname, "../../bundle/task-supervisor.sh");
const taskId = "job.0.1";
let stateDir: string;
let executors: Executor[];

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "spillway-process-"));
  executors = [];
});
afterEach(() => {
  for (const executor of executors) executor.close();
  rmSync(stateDir, { recursive: true, force: true });
});

async function anExecutor(onReport: (report: TaskReport) => void = () => undefined): Promise<Executor> {
  const log = createLog("node/n1", () => undefined);
  const executor = processExecutor({ stateDir, node: "n1", taskSupervisor, bootId: "boot", log, pollMs: 20 });
  executors.push(executor);
  executor.onReport(onReport);
  await executor.readopt();
  return executor;
}

const inTask = (name: string) => join(stateDir, "tasks", taskId, name);
const aTask = (command: string[]): TaskSpec => ({
  taskId,
  job: "job",
  index: 0,
  attempt: 1,
  command,
  env: {},
  resources: noResources,
  graceMs: 1000,
});
const ended = (executor: Executor) => until("it has ended", () => executor.list().some(isFinished));

test("a disk that takes no files is the node's fault: the task is lost, not failed", async () => {
  const executor = await anExecutor();
  writeFileSync(join(stateDir, "tasks", taskId), "in the way of the directory");
  await executor.start(aTask(["true"]));
  expect(executor.list()).toMatchObject([
    { state: "lost", fault: "node", reason: expect.stringMatching(/^this node can't write its files: E/) },
  ]);
});

test("a host that can't make the process is at fault itself, and the next agent does not begin what was told as lost", async () => {
  const executor = await anExecutor();
  mkdirSync(inTask("outcome.json"), { recursive: true }); // so that the outcome can't be written either
  writeFileSync(inTask("work"), "no directory to start in");
  await executor.start(aTask(["true"]));
  expect(executor.list()).toMatchObject([{ state: "lost", fault: "node" }]);
  expect(existsSync(inTask("spec.json"))).toBe(false);
});

test("a command that no host could start has failed", async () => {
  const executor = await anExecutor();
  await executor.start(aTask(["echo", "x".repeat(200_000)]));
  expect(executor.list()).toMatchObject([{ state: "failed", reason: expect.stringContaining("E2BIG") }]);
  expect(executor.list()[0]).not.toHaveProperty("fault");
});

test("an end that can't be concluded again is on disk before it is told", async () => {
  const written: boolean[] = [];
  const executor = await anExecutor((report) => isFinished(report) && written.push(existsSync(inTask("outcome.json"))));
  await executor.start(aTask(["sleep", "300"]));
  await until("its supervisor is known", () => existsSync(inTask("started/pid")) && readFileSync(inTask("started/pid"), "utf8") !== "");
  process.kill(Number(readFileSync(inTask("started/pid"), "utf8")), "SIGKILL");
  await ended(executor);
  expect(written).toEqual([true]);
});

test("what the master has recorded is never started again, whatever is missing of it", async () => {
  const first = await anExecutor();
  await first.start(aTask(["sh", "-c", "echo ran"]));
  await ended(first);
  await first.recorded(taskId);
  first.close();
  for (const name of ["started", "result"]) rmSync(inTask(name), { recursive: true });
  const second = await anExecutor();
  expect(second.list()).toEqual([]);
  expect(existsSync(inTask("started"))).toBe(false);
  expect(readFileSync(inTask("stdout.log"), "utf8")).toBe("ran\n");
});
