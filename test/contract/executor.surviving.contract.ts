/** That a task runs once and its end is not lost, whatever becomes of the agent: the other half of the executor's contract. */
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { until } from "../../agent/node/testing/until.ts";
import { type ExecutorUnderTest, executorFixture, isAlive } from "./executor.fixture.ts";

export function survivingTasksContract(name: string, underTest: ExecutorUnderTest): void {
  describe(`executor ${name}`, () => {
    const { stateDir, anExecutor, drop, shell, reportOf, ended, outputOf, workOf, startReady } = executorFixture(underTest);

    describe("once and only once", () => {
      test("a second start of the same attempt only reports", async () => {
        const { executor, reports } = await anExecutor();
        const task = shell("echo ran");
        await executor.start(task);
        await executor.start(task);
        await ended(executor, task);
        await executor.start(task);
        expect(reports.at(-1)).toMatchObject({ state: "succeeded" });
        expect(outputOf(executor, task)).toBe("ran\n");
      });

      test("two agents that start the same attempt at the same moment run its command once", async () => {
        const [one, other] = [await anExecutor(), await anExecutor()];
        const task = shell("echo ran; sleep 0.3");
        await Promise.all([one.executor.start(task), other.executor.start(task)]);
        expect(await ended(one.executor, task)).toMatchObject({ state: "succeeded" });
        expect(await ended(other.executor, task)).toMatchObject({ state: "succeeded" });
        expect(outputOf(one.executor, task)).toBe("ran\n");
      });

      test("an attempt whose start still waits is not started again by a repeated wish", async () => {
        const { executor, reports } = await anExecutor();
        const tasks = Array.from({ length: 6 }, () => shell("echo ran"));
        await Promise.all([...tasks, ...tasks].map((task) => executor.start(task)));
        for (const task of tasks) {
          await ended(executor, task);
          expect(outputOf(executor, task)).toBe("ran\n");
          expect(reports.filter(({ taskId, state }) => taskId === task.taskId && state === "running")).toHaveLength(1);
        }
      });

      test("an attempt that runs under another agent's supervisor can be stopped by the agent that came second", async () => {
        const [one, other] = [await anExecutor(), await anExecutor()];
        const task = shell("echo ready; sleep 300");
        await startReady(one.executor, task);
        await other.executor.start(task);
        await other.executor.stop(task.taskId, 5000, "by the second");
        expect(await ended(other.executor, task)).toMatchObject({ state: "cancelled", reason: "stopped: by the second" });
      });

      test("a recorded attempt is not reported any more, but its output is still there, after a restart too", async () => {
        const { executor } = await anExecutor();
        const task = shell("echo kept");
        await executor.start(task);
        await ended(executor, task);
        await executor.recorded(task.taskId);
        expect(executor.list()).toEqual([]);
        drop(executor);
        const { executor: restarted } = await anExecutor();
        expect(restarted.list()).toEqual([]);
        expect(outputOf(restarted, task)).toBe("kept\n");
        expect(restarted.output(task.taskId)?.finished()).toBe(true);
      });
    });

    describe("taking over", () => {
      test("a restarted agent finds a running task and tells its end", async () => {
        const { executor } = await anExecutor();
        const task = shell("echo ready; until [ -e go ]; do sleep 0.02; done; exit 5");
        await startReady(executor, task);
        drop(executor);
        const restarted = await anExecutor();
        expect(reportOf(restarted.executor, task.taskId)).toMatchObject({ state: "running" });
        writeFileSync(join(workOf(task), "go"), "");
        expect(await ended(restarted.executor, task)).toMatchObject({ state: "failed", exitCode: 5 });
      });

      test("a result that came while nobody watched is told by the next agent", async () => {
        const { executor } = await anExecutor();
        const task = shell("echo ready; sleep 0.1; echo done >done; exit 4");
        await startReady(executor, task);
        drop(executor);
        await until("the command has ended", () => existsSync(join(workOf(task), "done")));
        const restarted = await anExecutor();
        expect(await ended(restarted.executor, task)).toMatchObject({ state: "failed", exitCode: 4, reason: "exited with 4" });
      });

      test("a stop goes on under the next agent, with what was left of its grace", async () => {
        const { executor } = await anExecutor();
        const task = shell("trap '' TERM; echo ready; while :; do sleep 0.05; done");
        await startReady(executor, task);
        await executor.stop(task.taskId, 700, "going on");
        drop(executor);
        const restarted = await anExecutor();
        expect(reportOf(restarted.executor, task.taskId)).toMatchObject({ state: "stopping" });
        expect(await ended(restarted.executor, task)).toMatchObject({ state: "cancelled", reason: "stopped: going on" });
      });

      test("a task taken over can be stopped", async () => {
        const { executor } = await anExecutor();
        const task = shell("echo ready; sleep 300");
        await startReady(executor, task);
        drop(executor);
        const restarted = await anExecutor();
        await restarted.executor.stop(task.taskId, 5000, "by the next agent");
        expect(await ended(restarted.executor, task)).toMatchObject({ state: "cancelled", exitCode: 143 });
      });

      test("a timeout counts from the start, whoever watches", async () => {
        const { executor } = await anExecutor();
        const task = shell("echo ready; sleep 300", { timeoutMs: 600 });
        await startReady(executor, task);
        drop(executor);
        const restarted = await anExecutor();
        expect(await ended(restarted.executor, task)).toMatchObject({ state: "failed" });
      });

      test("a task whose supervisor was killed is lost, and nothing of it goes on running", async () => {
        const { executor } = await anExecutor();
        const task = shell("sleep 300 & echo $! $$ ready; wait");
        const pids = (await startReady(executor, task)).filter((word) => word !== "ready").map(Number);
        underTest.loseProcesses(stateDir(), task.taskId);
        expect(await ended(executor, task)).toMatchObject({ state: "lost", reason: "its processes vanished" });
        await until("every process of the task is gone", () => pids.every((pid) => !isAlive(pid)));
      });

      test("a task that vanished while nobody watched is lost, and stays lost", async () => {
        const { executor } = await anExecutor();
        const task = shell("echo ready; sleep 300");
        await startReady(executor, task);
        drop(executor);
        underTest.loseProcesses(stateDir(), task.taskId);
        const restarted = await anExecutor();
        const report = await ended(restarted.executor, task);
        expect(report).toMatchObject({ state: "lost", reason: "its processes vanished" });
        drop(restarted.executor);
        const again = await anExecutor();
        expect(reportOf(again.executor, task.taskId)).toEqual(report);
      });

      test("after a reboot of the host a task that ran is lost, and the reason is the reboot", async () => {
        const { executor } = await anExecutor({ bootId: "before" });
        const task = shell("echo ready; sleep 300");
        await startReady(executor, task);
        drop(executor);
        underTest.loseProcesses(stateDir(), task.taskId);
        const restarted = await anExecutor({ bootId: "after" });
        expect(await ended(restarted.executor, task)).toMatchObject({ state: "lost", reason: "the host was rebooted" });
      });
    });
  });
}
