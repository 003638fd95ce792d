/**
 * The part of an agent that has to do with tasks, as a process that can be killed: takes over what it finds, starts what is
 * given (as a master repeats itself), and prints a line of JSON for each report; the first when all was taken over, with
 * what its host enforces.
 * Usage: agent-process.ts STATE_DIR [--until running|finished] < TASKS   (a JSON array of task specs; none is fine)
 */
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { z } from "zod";
import { type TaskReport, taskSpec } from "../../../agent/contract/workload.ts";
import { isFinished } from "../../../agent/node/executor/executor.ts";
import { systemdExecutor } from "../../../agent/node/executor/systemd.ts";
import { enforcedFact } from "../../../agent/node/fingerprint/enforced.ts";
import { createLog } from "../../../agent/node/log.ts";

const [stateDir = "", , until = "finished"] = process.argv.slice(2);
const tasks = z.array(taskSpec).parse(JSON.parse((await text(process.stdin)) || "[]"));
const enforced = enforcedFact("systemd");
const executor = systemdExecutor({
  stateDir,
  node: "n1",
  bootId: readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim(),
  log: createLog("node/n1"),
  pollMs: 100,
  memoryIsEnforced: enforced.includes("memory"),
});

const print = (report: TaskReport | { state: "ready"; enforced: typeof enforced }) => process.stdout.write(`${JSON.stringify(report)}\n`);
const isDone = (report: TaskReport) => until === "running" || isFinished(report);
const allDone = () => {
  const reports = executor.list();
  return reports.every(isDone) && tasks.every(({ taskId }) => reports.some((report) => report.taskId === taskId));
};

executor.onReport(print);
await executor.readopt();
print({ state: "ready", enforced });
for (const task of tasks) void executor.start(task);
const look = setInterval(() => {
  if (!allDone()) return;
  clearInterval(look);
  for (const report of executor.list()) print(report);
  executor.close();
}, 20);
