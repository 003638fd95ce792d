/** The process executor, held to the contract; systemd's is held to it on a host that systemd runs, in test/lab. */
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { processExecutor } from "../../agent/node/executor/process.ts";
import { createLog } from "../../agent/node/log.ts";
import type { ExecutorUnderTest } from "./executor.fixture.ts";
import { runningTasksContract } from "./executor.running.contract.ts";
import { survivingTasksContract } from "./executor.surviving.contract.ts";

const taskSupervisor = resolve(import.meta.dirname, "../../agent/bundle/task-supervisor.sh");

const processes: ExecutorUnderTest = {
  make: (stateDir, { bootId = "boot" } = {}) =>
    processExecutor({ stateDir, node: "n1", taskSupervisor, bootId, log: createLog("node/n1", () => undefined), pollMs: 100 }),
  loseProcesses: (stateDir, taskId) => {
    process.kill(Number(readFileSync(join(stateDir, "tasks", taskId, "started", "pid"), "utf8")), "SIGKILL");
  },
};

runningTasksContract("process", processes);
survivingTasksContract("process", processes);
