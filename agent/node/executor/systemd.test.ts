/** What the systemd executor makes of a systemd that refuses; a stand-in for its commands, since real ones are in test/lab. */
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { noResources } from "../../contract/resources.ts";
import type { TaskSpec } from "../../contract/workload.ts";
import { createLog } from "../log.ts";
import type { Executor } from "./executor.ts";
import { systemdExecutor } from "./systemd.ts";

let stateDir: string;
let executor: Executor;
const task: TaskSpec = {
  taskId: "job.0.1",
  job: "job",
  index: 0,
  attempt: 1,
  command: ["true"],
  env: { SECRET: "s3cret" },
  resources: noResources,
  graceMs: 1000,
};
const inTask = (name: string) => join(stateDir, "tasks", task.taskId, name);

beforeEach(async () => {
  stateDir = mkdtempSync(join(tmpdir(), "spillway-systemd-"));
  executor = anExecutor();
  await executor.readopt();
});
afterEach(() => {
  vi.unstubAllEnvs();
  executor.close();
  rmSync(stateDir, { recursive: true, force: true });
});

function anExecutor(): Executor {
  return systemdExecutor({ stateDir, node: "n1", bootId: "boot", log: createLog("node/n1", () => undefined), memoryIsEnforced: true });
}

/** systemd-run and systemctl are these shell scripts from now on. */
function systemdIs(scripts: { run: string; control?: string }): void {
  writeFileSync(join(stateDir, "systemd-run"), `#!/bin/sh\n${scripts.run}\n`, { mode: 0o700 });
  writeFileSync(join(stateDir, "systemctl"), `#!/bin/sh\n${scripts.control ?? "echo inactive"}\n`, { mode: 0o700 });
  vi.stubEnv("PATH", `${stateDir}:/usr/bin:/bin`);
}

test("a unit that systemd refuses is a start that failed, in systemd's own words, and the node's fault", async () => {
  systemdIs({ run: "echo 'Unknown assignment: Foo=bar' >&2; exit 1" });
  await executor.start(task);
  expect(executor.list()).toMatchObject([
    { state: "lost", fault: "node", reason: "it could not be started: systemd refuses it: Unknown assignment: Foo=bar" },
  ]);
});

test("a host without systemd says so", async () => {
  vi.stubEnv("PATH", stateDir);
  await executor.start(task);
  expect(executor.list()).toMatchObject([{ state: "lost", fault: "node", reason: expect.stringContaining("systemd-run ENOENT") }]);
});

test("what was told as not started can't begin later, and the next agent tells the same", async () => {
  systemdIs({ run: "exit 1" });
  await executor.start(task);
  const told = executor.list();
  expect(existsSync(inTask("started"))).toBe(true);
  executor.close();
  executor = anExecutor();
  await executor.readopt();
  expect(executor.list()).toEqual(told);
});

test("a unit of a former agent that is in the way is waited for, and its attempt taken over", async () => {
  systemdIs({
    run: `mkdir ${inTask("started")}; echo another >${inTask("started/by")}; echo 'Unit spillway-task-job.0.1.service was already loaded.' >&2; exit 1`,
  });
  await executor.start(task);
  expect(executor.list()[0]?.state).toBe("running");
});

test("a launch that holds the latch and failed before the command tells what systemd could not do", async () => {
  const token = 'token=$(echo "$*" | sed "s/.* begin \\([^ ]*\\) .*/\\1/")';
  const result = "exit-code exited 226 running";
  systemdIs({
    run: `${token}; mkdir ${inTask("started")}; echo $token >${inTask("started/by")}; echo '${result}' >${inTask("result")}; echo 'Job failed.' >&2; exit 1`,
  });
  await executor.start(task);
  expect(executor.list()).toMatchObject([
    { state: "lost", fault: "node", reason: "it could not be started: systemd could not set up its unit: status 226/NAMESPACE" },
  ]);
});

test("a unit that goes on though systemd-run gave up runs, and is told as running", async () => {
  const token = 'token=$(echo "$*" | sed "s/.* begin \\([^ ]*\\) .*/\\1/")';
  systemdIs({ run: `${token}; mkdir ${inTask("started")}; echo $token >${inTask("started/by")}; exit 1`, control: "echo active" });
  await executor.start(task);
  expect(executor.list()).toMatchObject([{ state: "running" }]);
});

test("a command that no host could start has failed, without asking systemd", async () => {
  systemdIs({ run: `: >${inTask("asked")}` });
  await executor.start({ ...task, command: ["echo", "x".repeat(200_000)] });
  expect(executor.list()).toMatchObject([{ state: "failed", reason: expect.stringContaining("E2BIG") }]);
  expect(existsSync(inTask("asked"))).toBe(false);
});

test("only root can read the command and its environment", async () => {
  systemdIs({ run: "exit 1" });
  await executor.start(task);
  expect(readFileSync(inTask("command.sh"), "utf8")).toContain("s3cret");
  expect(statSync(inTask("command.sh")).mode & 0o777).toBe(0o600);
});
