/** The process executor where each task is a user of its own, as on a host without systemd: the same contract. Needs root and setpriv. */
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe } from "vitest";
import { processExecutor } from "../../agent/node/executor/process.ts";
import { createLog } from "../../agent/node/log.ts";
import type { ExecutorUnderTest } from "./executor.fixture.ts";
import { runningTasksContract } from "./executor.running.contract.ts";
import { survivingTasksContract } from "./executor.surviving.contract.ts";

const taskSupervisor = resolve(import.meta.dirname, "../../agent/bundle/task-supervisor.sh");
const taskUsers = { first: 61_200, last: 61_400 };
const log = createLog("node/n1", () => undefined);

const users: ExecutorUnderTest = {
  make: (stateDir, { bootId = "boot" } = {}) =>
    processExecutor({ stateDir, node: "n1", taskSupervisor, bootId, log, pollMs: 100, taskUsers }),
  loseProcesses: (stateDir, taskId) => {
    process.kill(Number(readFileSync(join(stateDir, "tasks", taskId, "started", "pid"), "utf8")), "SIGKILL");
  },
};

describe.skipIf(process.getuid?.() !== 0 || !existsSync("/usr/bin/setpriv"))("under root", () => {
  runningTasksContract("process, users of their own", users);
  survivingTasksContract("process, users of their own", users);
});
