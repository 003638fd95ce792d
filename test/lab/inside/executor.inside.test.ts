/** The systemd executor, held to the contract on a host that systemd runs. Run within a lab host by test/lab/executor.lab.test.ts. */
import { execFileSync } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { systemdExecutor } from "../../../agent/node/executor/systemd.ts";
import { createLog } from "../../../agent/node/log.ts";
import type { ExecutorUnderTest } from "../../contract/executor.fixture.ts";
import { runningTasksContract } from "../../contract/executor.running.contract.ts";
import { survivingTasksContract } from "../../contract/executor.surviving.contract.ts";

const units: ExecutorUnderTest = {
  make: (stateDir, { bootId = "boot" } = {}) =>
    systemdExecutor({ stateDir, node: "n1", bootId, log: createLog("node/n1", () => undefined), pollMs: 100, memoryIsEnforced: false }),
  loseProcesses: (stateDir, taskId) => {
    // Without the latch's token what writes the result does not know the attempt as its own.
    rmSync(join(stateDir, "tasks", taskId, "started", "by"));
    execFileSync("systemctl", ["kill", "--signal=SIGKILL", `spillway-task-${taskId}.service`]);
  },
};

runningTasksContract("systemd", units);
survivingTasksContract("systemd", units);
