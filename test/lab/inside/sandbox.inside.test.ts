/** What a task of the systemd executor may see and do, and what is left when it has ended. Within a lab host. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { noResources } from "../../../agent/contract/resources.ts";
import { type TaskReport, type TaskSpec, taskIdOf } from "../../../agent/contract/workload.ts";
import { type Executor, isFinished } from "../../../agent/node/executor/executor.ts";
import { systemdExecutor } from "../../../agent/node/executor/systemd.ts";
import { createLog } from "../../../agent/node/log.ts";
import { waitUntil } from "../../support/wait-until.ts";

let stateDir: string;
let executor: Executor;
let taskCount = 0;

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), "spillway-sandbox-"));
  const log = createLog("node/n1", () => undefined);
  executor = systemdExecutor({ stateDir, node: "n1", bootId: "boot", log, pollMs: 50, memoryIsEnforced: false });
  await executor.readopt();
});
afterEach(async () => {
  await executor.stopAll("the test is over");
  executor.close();
  rmSync(stateDir, { recursive: true, force: true });
});

function shell(script: string, more: Partial<TaskSpec> = {}): TaskSpec {
  const attempt = ++taskCount;
  const taskId = taskIdOf("sandbox", 0, attempt);
  const command = ["sh", "-c", script];
  return { taskId, job: "sandbox", index: 0, attempt, command, env: {}, resources: noResources, graceMs: 1000, ...more };
}

const filesOf = ({ taskId }: TaskSpec) => join(stateDir, "tasks", taskId);
const outputOf = (task: TaskSpec, channel = "stdout") => readFileSync(join(filesOf(task), `${channel}.log`), "utf8");
const reportOf = ({ taskId }: TaskSpec) => executor.list().find((report) => report.taskId === taskId);

async function ended(task: TaskSpec): Promise<TaskReport> {
  await waitUntil(`${task.taskId} has ended`, () => executor.list().some((report) => report.taskId === task.taskId && isFinished(report)));
  return reportOf(task) as TaskReport;
}

async function run(script: string, more: Partial<TaskSpec> = {}): Promise<string> {
  const task = shell(script, more);
  await executor.start(task);
  await ended(task);
  return outputOf(task);
}

const systemctl = (...args: string[]) => execFileSync("systemctl", args, { encoding: "utf8" });
const taskUnits = () => systemctl("list-units", "--all", "--plain", "--no-legend", "spillway-task-*").trim();

test("a task is not root, has no rights and can't get any", async () => {
  const said = await run("id -u; id -g; grep -E '^(Cap|NoNewPrivs)' /proc/self/status");
  const [user, group] = said.split("\n").map(Number);
  expect(user).toBeGreaterThanOrEqual(61_184);
  expect(group).toBe(user);
  expect(said).toContain("NoNewPrivs:\t1");
  expect(said.match(/Cap\w+:\t0000000000000000/g)).toHaveLength(5);
});

test("a task sees of Spillway's directories its own work and nothing else", async () => {
  for (const path of ["/etc/spillway", "/opt/spillway"]) {
    mkdirSync(path, { recursive: true });
    writeFileSync(join(path, "file-of-ours"), "", { mode: 0o644 });
  }
  writeFileSync(join(stateDir, "key.pem"), "secret", { mode: 0o644 });
  const other = shell("sleep 300");
  await executor.start(other);
  const said = await run(`find ${stateDir} 2>&1; ls /etc/spillway /opt/spillway 2>&1`);
  expect(said).toContain("/work");
  expect(said).not.toMatch(/key\.pem|file-of-ours|spec\.json|command\.sh/);
  expect(said).not.toContain(other.taskId);
  for (const path of ["/etc/spillway", "/opt/spillway"]) rmSync(path, { recursive: true });
});

test("two tasks at the same time are different users, and see nothing of each other's processes", async () => {
  const other = shell("id -u; exec sleep 300", { env: { SECRET: "s3cret" } });
  await executor.start(other);
  await waitUntil("the other runs", () => outputOf(other) !== "");
  const said = await run("id -u; cat /proc/[0-9]*/cmdline | tr '\\0' ' '; cat /proc/[0-9]*/environ 2>/dev/null");
  expect(said.split("\n")[0]).not.toBe(outputOf(other).trim());
  expect(said).not.toMatch(/sleep 300|s3cret/);
});

test("a task's environment is not in what systemd tells everybody", async () => {
  const task = shell("sleep 300", { env: { SECRET: "s3cret" } });
  await executor.start(task);
  expect(systemctl("show", `spillway-task-${task.taskId}.service`)).not.toContain("s3cret");
  expect(readFileSync(`/run/systemd/transient/spillway-task-${task.taskId}.service`, "utf8")).not.toContain("s3cret");
});

test("a task may write its work directory and a /tmp of its own, and nothing of the host", async () => {
  const said = await run("for d in . /tmp /var/tmp /etc /usr /var /home /run; do (: >$d/x) 2>/dev/null && echo $d; done");
  expect(said.trim().split("\n")).toEqual([".", "/tmp", "/var/tmp"]);
  expect(existsSync("/tmp/x")).toBe(false);
});

test("a task owns its work directory and may open its output by name", async () => {
  const task = shell("chmod 700 . && touch -d 2020-01-01 . && echo again >/dev/stdout && echo wrong >/dev/stderr");
  await executor.start(task);
  expect(await ended(task)).toMatchObject({ state: "succeeded" });
  expect(outputOf(task)).toBe("again\n");
  expect(outputOf(task, "stderr")).toBe("wrong\n");
});

test("a pipe whose reader has gone ends its writer, as in any shell", async () => {
  expect(await run("yes | head -n 1")).toBe("y\n");
});

test("what a command prints arrives whole, however much and fast", async () => {
  const task = shell("seq 200000");
  await executor.start(task);
  expect(await ended(task)).toMatchObject({ state: "succeeded" });
  expect(outputOf(task).trim().split("\n").at(-1)).toBe("200000");
  expect(outputOf(task).split("\n")).toHaveLength(200_001);
});

test("ended tasks leave no unit, no user, no directory on the host", async () => {
  const listed = () => ["/tmp", "/var/tmp", "/var/lib", "/var/lib/private", "/run/systemd/transient"].flatMap((path) => entriesOf(path));
  const before = listed();
  const passwd = statSync("/etc/passwd").mtimeMs;
  for (const code of [0, 5]) await run(`touch /tmp/x /var/tmp/x; exit ${code}`);
  await waitUntil("no unit is left", () => taskUnits() === "");
  await waitUntil("nothing else is left", () => listed().join() === before.join());
  expect(statSync("/etc/passwd").mtimeMs).toBe(passwd);
  expect(entriesOf("/run/systemd/dynamic-uid")).toEqual([]);
});

function entriesOf(path: string): string[] {
  return existsSync(path) ? readdirSync(path).map((name) => join(path, name)) : [];
}

test("a reload of systemd in the middle loses nothing", async () => {
  const task = shell("echo ready; until [ -e go ]; do sleep 0.02; done; exit 6");
  await executor.start(task);
  systemctl("daemon-reload");
  writeFileSync(join(filesOf(task), "work", "go"), "");
  expect(await ended(task)).toMatchObject({ state: "failed", exitCode: 6 });
});

test("a disk that the command fills does not lose its exit code", async () => {
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "none", join(stateDir, "tasks")]);
  try {
    const task = shell("cat /dev/zero >fill 2>/dev/null; exit 9");
    await executor.start(task);
    expect(await ended(task)).toMatchObject({ state: "failed", exitCode: 9, reason: "exited with 9" });
  } finally {
    await waitUntil("no unit is left", () => taskUnits() === "");
    execFileSync("umount", [join(stateDir, "tasks")]);
  }
});

test("where the kernel does not enforce memory the agent ends a task that uses more than it asked for, and says so", async () => {
  const task = shell("python3 -c 'import time; hog = b\"x\" * 100_000_000; time.sleep(300)'", {
    resources: { ...noResources, memory: 40 },
    graceMs: 60_000,
  });
  await executor.start(task);
  const { state, exitCode, reason } = await ended(task);
  expect(state).toBe("failed");
  expect([137, 143]).toContain(exitCode); // KILL comes at once, but TERM before it
  expect(reason).toMatch(/^stopped: it used \d+ MiB of memory and asked for 40 MiB \(watched by the agent/);
});

test("a task within its memory is left alone", async () => {
  const task = shell("python3 -c 'import time; time.sleep(0.5)'", { resources: { ...noResources, cpu: 500, memory: 200 } });
  await executor.start(task);
  expect(await ended(task)).toMatchObject({ state: "succeeded" });
});
