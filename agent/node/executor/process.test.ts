/** What the process executor keeps on disk, and what it makes of a disk that fails; test/contract holds it to what every executor does. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { noResources } from "../../contract/resources.ts";
import type { TaskReport, TaskSpec } from "../../contract/workload.ts";
import { createLog } from "../log.ts";
import { until } from "../testing/until.ts";
import { type Executor, isFinished } from "./executor.ts";
import { type ProcessExecutorOptions, processExecutor } from "./process.ts";

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

async function anExecutor(
  onReport: (report: TaskReport) => void = () => undefined,
  more: Partial<ProcessExecutorOptions> = {},
): Promise<Executor> {
  const log = createLog("node/n1", () => undefined);
  const executor = processExecutor({ stateDir, node: "n1", taskSupervisor, bootId: "boot", log, pollMs: 20, ...more });
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

test("a task that writes without end keeps the newest of its output, on a disk that holds no more than the bound", async () => {
  const executor = await anExecutor(undefined, { logBytes: 400_000, boundMs: 20 });
  const writer = `const line = "x".repeat(99) + "\\n"; let n = 0; const t = setInterval(() => { for (let i = 0; i < 200; i++) process.stdout.write(n++ + line); if (n >= 20000) { clearInterval(t); process.stdout.write("last\\n"); } }, 5);`;
  await executor.start(aTask([process.execPath, "-e", writer]));
  await ended(executor);
  await until("it is bounded", () => statSync(inTask("stdout.log")).blocks * 512 < 400_000);
  const output = executor.output(taskId);
  const cut = output?.cutOf("stdout") ?? 0;
  expect(cut).toBeGreaterThan(1_000_000);
  const rest = readFileSync(inTask("stdout.log")).subarray(cut).toString();
  expect(rest).toMatch(/^\d+x/);
  expect(rest.endsWith("last\n")).toBe(true);
  executor.close();
  const next = await anExecutor(undefined, { logBytes: 400_000 });
  expect(next.output(taskId)?.cutOf("stdout")).toBe(cut);
});

test("when all output together is too much, the oldest finished task's goes first", async () => {
  const executor = await anExecutor(undefined, { logTotalBytes: 250_000, boundMs: 20 });
  const done: string[] = [];
  for (const attempt of [1, 2, 3]) {
    const id = `job.0.${attempt}`;
    await executor.start({ ...aTask(["sh", "-c", "head -c 100000 /dev/zero"]), taskId: id, attempt });
    await until(`${id} has ended`, () => executor.list().some((report) => report.taskId === id && isFinished(report)));
    await executor.recorded(id);
    done.push(id);
  }
  await until("the first is gone", () => executor.output("job.0.1") === undefined);
  expect(done.map((id) => executor.output(id) !== undefined)).toEqual([false, true, true]);
  await until("its directory is gone too", () => !existsSync(join(stateDir, "tasks", "job.0.1")));
});

const setpriv = existsSync("/usr/bin/setpriv") && process.getuid?.() === 0;

test.skipIf(!setpriv)(
  "under root each task is a user of its own, that can't look into the agent's files and leaves no process",
  async () => {
    const executor = await anExecutor(undefined, { taskUsers: { first: 61_184, last: 61_190 } });
    writeFileSync(join(stateDir, "key.pem"), "a secret", { mode: 0o600 });
    const script = `id -u; id -g; id -G; touch "$HOME/mine" && echo made; cat ${join(stateDir, "key.pem")} ../spec.json; ls ..; echo to-stdout >>/dev/stdout; setsid sleep 300 & exit 3`;
    await executor.start(aTask(["sh", "-c", script]));
    await ended(executor);
    expect(executor.list()).toMatchObject([{ state: "failed", exitCode: 3 }]);
    const [user = "", ...rest] = readFileSync(inTask("stdout.log"), "utf8").trim().split("\n");
    expect(Number(user)).toBeGreaterThanOrEqual(61_184);
    expect(Number(user)).toBeLessThanOrEqual(61_190);
    expect(rest).toEqual([user, user, "made", "to-stdout"]);
    expect(readFileSync(inTask("stderr.log"), "utf8").match(/Permission denied/g)).toHaveLength(3);
    // One that was killed is in the list until its parent has asked.
    await until("no process of it is left", () => processesOf(user).length === 0);
  },
);

function processesOf(user: string): string[] {
  return readdirSync("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/status`, "utf8").includes(`\nUid:\t${user}\t`);
    } catch {
      return false;
    }
  });
}
