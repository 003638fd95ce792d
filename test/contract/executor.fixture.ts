/** What every suite about executors stands on: a state directory of its own, executors over it, tasks, and waiting for their ends. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach } from "vitest";
import { noResources } from "../../agent/contract/resources.ts";
import { type TaskReport, type TaskSpec, taskIdOf } from "../../agent/contract/workload.ts";
import { type Executor, isFinished } from "../../agent/node/executor/executor.ts";
import { until } from "../../agent/node/testing/until.ts";

export interface ExecutorUnderTest {
  /** A new executor object over this state directory, as a restarted agent makes one; its node is called `n1`. */
  make(stateDir: string, options?: { bootId?: string }): Executor;
  /** Ends what watches over an attempt on the host's side, with SIGKILL, so that its processes are gone and left no result. */
  loseProcesses(stateDir: string, taskId: string): void;
}

/** To be called within a `describe`; what a test leaves running is stopped after it. */
export function executorFixture(underTest: ExecutorUnderTest) {
  let stateDir: string;
  let taskCount = 0;
  const executors: { executor: Executor; reports: TaskReport[] }[] = [];

  beforeEach(() => {
    stateDir = mkdtempSync(join(tmpdir(), "spillway-executor-"));
  });

  afterEach(async () => {
    const { executor } = await anExecutor();
    for (const { taskId } of executor.list()) await executor.stop(taskId, 0, "the test is over");
    await until("no task runs any more", () => executor.list().every(isFinished));
    for (const { executor: used } of executors.splice(0)) used.close();
    rmSync(stateDir, { recursive: true, force: true });
  });

  async function anExecutor(options: { bootId?: string } = {}) {
    const made = { executor: underTest.make(stateDir, options), reports: [] as TaskReport[] };
    executors.push(made);
    made.executor.onReport((report) => made.reports.push(report));
    await made.executor.readopt();
    return made;
  }

  /** As a killed agent does: nobody watches any more. */
  function drop(executor: Executor): void {
    executor.close();
  }

  function aTask(command: string[], more: Partial<TaskSpec> = {}): TaskSpec {
    const attempt = ++taskCount;
    const taskId = taskIdOf("job", 0, attempt);
    return { taskId, job: "job", index: 0, attempt, command, env: {}, resources: noResources, graceMs: 5000, ...more };
  }

  const shell = (script: string, more: Partial<TaskSpec> = {}) => aTask(["sh", "-c", script], more);

  function reportOf(executor: Executor, taskId: string): TaskReport | undefined {
    return executor.list().find((report) => report.taskId === taskId);
  }

  async function ended(executor: Executor, { taskId }: TaskSpec): Promise<TaskReport> {
    await until(`${taskId} has ended`, () => {
      const report = reportOf(executor, taskId);
      return report !== undefined && isFinished(report);
    });
    return reportOf(executor, taskId) as TaskReport;
  }

  function outputOf(executor: Executor, { taskId }: TaskSpec, channel: "stdout" | "stderr" = "stdout"): string {
    const file = executor.output(taskId)?.files[channel];
    return file !== undefined && existsSync(file) ? readFileSync(file, "utf8") : "";
  }

  /** The only place that both a task and its test can write to. */
  const workOf = ({ taskId }: TaskSpec) => join(stateDir, "tasks", taskId, "work");

  /** Runs until its script has printed that it is ready, so that its traps are set and its children there. */
  async function startReady(executor: Executor, spec: TaskSpec): Promise<string[]> {
    await executor.start(spec);
    await until(`${spec.taskId} is ready`, () => outputOf(executor, spec).includes("ready"));
    return outputOf(executor, spec).trim().split(/\s+/);
  }

  return { stateDir: () => stateDir, anExecutor, drop, aTask, shell, reportOf, ended, outputOf, workOf, startReady };
}

/** A zombie that its parent has not collected yet is dead. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = existsSync(`/proc/${pid}/stat`) ? readFileSync(`/proc/${pid}/stat`, "utf8") : "";
  return stat === "" || stat.split(") ").at(-1)?.[0] !== "Z";
}
