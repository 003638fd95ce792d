/** What a task gets and how its end is told: the half of the executor's contract about one agent that lives. */
import { describe, expect, test } from "vitest";
import { until } from "../../agent/node/testing/until.ts";
import { type ExecutorUnderTest, executorFixture, isAlive } from "./executor.fixture.ts";

export function runningTasksContract(name: string, underTest: ExecutorUnderTest): void {
  describe(`executor ${name}`, () => {
    const { anExecutor, aTask, shell, ended, outputOf, startReady } = executorFixture(underTest);

    describe("exit codes", () => {
      test("a command that exits with 0 has succeeded, and the report tells when it started and ended", async () => {
        const { executor, reports } = await anExecutor();
        const before = Date.now();
        const task = shell("exit 0");
        await executor.start(task);
        const report = await ended(executor, task);
        expect(report).toMatchObject({ state: "succeeded", exitCode: 0, reason: "exited with 0" });
        expect(report.startedAt).toBeGreaterThanOrEqual(before);
        expect(report.finishedAt).toBeGreaterThanOrEqual(report.startedAt as number);
        expect(reports.map(({ state }) => state)).toEqual(["running", "succeeded"]);
      });

      test("any other exit code is a failure with that code", async () => {
        const { executor } = await anExecutor();
        const task = shell("exit 3");
        await executor.start(task);
        expect(await ended(executor, task)).toMatchObject({ state: "failed", exitCode: 3, reason: "exited with 3" });
      });

      test("a command ended by a signal has 128 + its number, and the reason names the signal", async () => {
        const { executor } = await anExecutor();
        const task = shell("kill -9 $$");
        await executor.start(task);
        expect(await ended(executor, task)).toMatchObject({ state: "failed", exitCode: 137, reason: "killed by signal 9" });
      });

      test("a command that does not exist fails with 127 and says so", async () => {
        const { executor } = await anExecutor();
        const task = aTask(["no-such-command", "x"]);
        await executor.start(task);
        const report = await ended(executor, task);
        expect(report).toMatchObject({ state: "failed", exitCode: 127, reason: 'there is no command "no-such-command" on this node' });
      });

      test("a command's own 127 is told as an exit code", async () => {
        const { executor } = await anExecutor();
        const task = shell("exit 127");
        await executor.start(task);
        expect(await ended(executor, task)).toMatchObject({ state: "failed", exitCode: 127, reason: "exited with 127" });
      });

      test("a command named like a builtin of the shell is the program of that name", async () => {
        const { executor } = await anExecutor();
        const task = aTask(["exit", "3"]);
        await executor.start(task);
        expect(await ended(executor, task)).toMatchObject({ exitCode: 127, reason: 'there is no command "exit" on this node' });
      });

      test("an id that is not a task's is refused before it becomes the name of anything", async () => {
        const { executor } = await anExecutor();
        await expect(executor.start(aTask(["true"], { taskId: "../../escape" }))).rejects.toThrow("is not the id of a task");
        expect(executor.list()).toEqual([]);
      });
    });

    describe("what a task gets", () => {
      test("its output is kept, channel by channel, byte by byte", async () => {
        const { executor } = await anExecutor();
        const task = shell("printf 'out \\303\\274'; printf err >&2");
        await executor.start(task);
        await ended(executor, task);
        expect(outputOf(executor, task)).toBe("out ü");
        expect(outputOf(executor, task, "stderr")).toBe("err");
      });

      test("arguments arrive as they are: spaces, quotes, stars, nothing at all", async () => {
        const { executor } = await anExecutor();
        const task = aTask(["printf", "[%s]", "a b", "", "it's", '"$HOME"', "*"]);
        await executor.start(task);
        await ended(executor, task);
        expect(outputOf(executor, task)).toBe('[a b][][it\'s]["$HOME"][*]');
      });

      test("it runs in a work directory of its own, which is its home", async () => {
        const { executor } = await anExecutor();
        const task = shell("pwd; echo $HOME; echo x >file");
        await executor.start(task);
        await ended(executor, task);
        const [cwd, home] = outputOf(executor, task).trim().split("\n");
        expect(cwd).toBe(home);
        expect(cwd).toContain(task.taskId);
      });

      test("its environment is a clean base, what the job asks for, and who it is; nothing of the agent's", async () => {
        process.env.SPILLWAY_CRASH_MARKER = "/nowhere";
        process.env.SOME_SECRET_OF_THE_AGENT = "s3cret";
        try {
          const { executor } = await anExecutor();
          const task = aTask(["env"], { env: { GREETING: "hi there", SPILLWAY_NODE: "not me" } });
          await executor.start(task);
          await ended(executor, task);
          const lines = outputOf(executor, task).trim().split("\n");
          expect(lines).toEqual(expect.arrayContaining(["GREETING=hi there", "SPILLWAY_JOB=job", "SPILLWAY_INDEX=0", "SPILLWAY_NODE=n1"]));
          expect(lines).toContain(`SPILLWAY_TASK_ID=${task.taskId}`);
          expect(lines).toContain(`SPILLWAY_ATTEMPT=${task.attempt}`);
          const allowed = /^(PATH|HOME|LANG|PWD|OLDPWD|SHLVL|_|GREETING|SPILLWAY_(JOB|INDEX|ATTEMPT|TASK_ID|NODE))=/;
          expect(lines.filter((line) => !allowed.test(line))).toEqual([]);
        } finally {
          delete process.env.SPILLWAY_CRASH_MARKER;
          delete process.env.SOME_SECRET_OF_THE_AGENT;
        }
      });

      test("a job may set a PATH that holds nothing but its own commands", async () => {
        const { executor } = await anExecutor();
        const task = aTask(["/bin/sh", "-c", "echo $PATH"], { env: { PATH: "/nowhere" } });
        await executor.start(task);
        expect(await ended(executor, task)).toMatchObject({ state: "succeeded" });
        expect(outputOf(executor, task)).toBe("/nowhere\n");
      });

      test("its standard input is empty", async () => {
        const { executor } = await anExecutor();
        const task = aTask(["cat"]);
        await executor.start(task);
        expect(await ended(executor, task)).toMatchObject({ state: "succeeded" });
      });
    });

    describe("stopping", () => {
      test("a stop is TERM, and the command has its grace to end by itself", async () => {
        const { executor, reports } = await anExecutor();
        const task = shell("trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.05; done");
        await startReady(executor, task);
        await executor.stop(task.taskId, 10_000, "cancelled by a test");
        const report = await ended(executor, task);
        expect(report).toMatchObject({ state: "cancelled", exitCode: 7, reason: "stopped: cancelled by a test" });
        expect(outputOf(executor, task)).toContain("bye");
        expect(reports.map(({ state }) => state)).toEqual(["running", "stopping", "cancelled"]);
      });

      test("a command that ignores TERM gets KILL when its grace is over", async () => {
        const { executor } = await anExecutor();
        const task = shell("trap '' TERM; echo ready; while :; do sleep 0.05; done");
        await startReady(executor, task);
        const before = Date.now();
        await executor.stop(task.taskId, 300, "enough");
        const report = await ended(executor, task);
        expect(report).toMatchObject({ state: "cancelled", exitCode: 137, reason: "stopped: enough" });
        expect(Date.now() - before).toBeGreaterThanOrEqual(290);
      });

      test("the whole tree of its children ends with it", async () => {
        const { executor } = await anExecutor();
        const task = shell(
          "trap '' TERM; (trap '' TERM; sleep 300) & echo $!; (sleep 300 & echo $!; wait) & sleep 0.2; echo $! $$ ready; wait",
        );
        const pids = (await startReady(executor, task)).filter((word) => word !== "ready").map(Number);
        expect(pids.length).toBe(4);
        await executor.stop(task.taskId, 100, "enough");
        await ended(executor, task);
        await until("every process of the task is gone", () => pids.every((pid) => !isAlive(pid)));
      });

      test("what a command leaves in the background ends with the command", async () => {
        const { executor } = await anExecutor();
        const task = shell("sleep 300 & echo $!");
        await executor.start(task);
        expect(await ended(executor, task)).toMatchObject({ state: "succeeded" });
        const pid = Number(outputOf(executor, task).trim());
        await until("the background process is gone", () => !isAlive(pid));
      });

      test("a second stop with less grace shortens the first", async () => {
        const { executor } = await anExecutor();
        const task = shell("trap '' TERM; echo ready; while :; do sleep 0.05; done");
        await startReady(executor, task);
        await executor.stop(task.taskId, 600_000, "please");
        await executor.stop(task.taskId, 0, "at once");
        expect(await ended(executor, task)).toMatchObject({ state: "cancelled", reason: "stopped: please" });
      });

      test("a task that runs longer than its timeout is stopped and has failed", async () => {
        const { executor } = await anExecutor();
        const task = aTask(["sleep", "300"], { timeoutMs: 200 });
        await executor.start(task);
        expect(await ended(executor, task)).toMatchObject({ state: "failed", reason: "stopped: it ran longer than its timeout of 200 ms" });
      });

      test("a stop that comes right behind the start still ends it", async () => {
        const { executor } = await anExecutor();
        const task = aTask(["sleep", "300"]);
        const started = executor.start(task);
        await executor.stop(task.taskId, 500, "changed my mind");
        await started;
        expect(await ended(executor, task)).toMatchObject({ state: "cancelled" });
      });

      test("stopping them all leaves none, also of those whose start still waits for its turn", async () => {
        const { executor } = await anExecutor();
        const tasks = Array.from({ length: 8 }, () => aTask(["sleep", "300"], { graceMs: 1000 }));
        const starts = tasks.map((task) => executor.start(task));
        await executor.stopAll("the node leaves");
        expect(executor.list().map(({ state }) => state)).toEqual(tasks.map(() => "cancelled"));
        await Promise.all(starts);
      });

      test("a stop of a task that has ended reports its end again, one of an unknown task reports it as lost", async () => {
        const { executor, reports } = await anExecutor();
        const task = aTask(["true"]);
        await executor.start(task);
        await ended(executor, task);
        await executor.stop(task.taskId, 0, "too late");
        expect(reports.at(-1)).toMatchObject({ taskId: task.taskId, state: "succeeded" });
        await executor.stop("job.0.999", 0, "never seen");
        expect(reports.at(-1)).toMatchObject({ taskId: "job.0.999", state: "lost" });
      });
    });
  });
}
