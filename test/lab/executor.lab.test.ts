/**
 * The systemd executor on a host that systemd runs: the executor's contract and what only systemd has, run by vitest
 * within a lab host, each test counted here; then the host goes down under running tasks.
 */
import { dirname, join, resolve } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { noResources } from "../../agent/contract/resources.ts";
import { type TaskReport, type TaskSpec, taskIdOf, taskReport } from "../../agent/contract/workload.ts";
import { bootLab } from "./support/lab.ts";

const [checkout, node] = ["/srv/checkout", "/srv/node"];
const resultsFile = "/tmp/executor-results.json";
const path = `PATH=${node}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
const insideTimeoutMs = 480_000;

const insideResults = z.object({
  testResults: z.array(
    z.object({
      name: z.string(),
      message: z.string(),
      assertionResults: z.array(
        z.object({
          fullName: z.string(),
          status: z.string(),
          duration: z.number().nullish(),
          failureMessages: z.array(z.string()).nullish(),
        }),
      ),
    }),
  ),
});

// Booted and run while the tests are collected: only then it is known which tests there are.
const lab = await bootLab({
  hosts: [
    {
      binds: [
        { source: resolve(import.meta.dirname, "../.."), target: checkout },
        { source: dirname(process.execPath), target: node },
      ],
    },
  ],
});
afterAll(() => lab.close());
const [host] = lab.hosts as [(typeof lab.hosts)[number]];

async function runInside() {
  const vitest = `${checkout}/node_modules/vitest/vitest.mjs run --configLoader=native --config test/lab/inside/vitest.config.ts`;
  const report = `--reporter=json --outputFile=${resultsFile}`;
  const { stdout, stderr } = await host.exec(`cd ${checkout} && ${path} NO_COLOR=1 node ${vitest} ${report}`, {
    timeoutMs: insideTimeoutMs,
  });
  const results = await host.exec(["cat", resultsFile]);
  if (results.code !== 0) throw new Error(`vitest did not run within the host: ${stdout}\n${stderr}`);
  return insideResults.parse(JSON.parse(results.stdout)).testResults;
}

const suites = await runInside().catch(async (error: unknown) => {
  await lab.close();
  throw error;
});

describe.each(suites)("$name", ({ assertionResults, message }) => {
  test("its tests ran", () => {
    expect(message).toBe("");
    expect(assertionResults.length).toBeGreaterThan(0);
  });
  test.each(assertionResults)("$fullName", ({ status, failureMessages }) => {
    if (status !== "passed") throw new Error(failureMessages?.join("\n") ?? status);
  });
});

describe("a host that goes down under its tasks", () => {
  const stateDir = "/var/lib/spillway/agent";
  const agentProgram = `${checkout}/test/lab/inside/agent-process.ts`;

  function aTask(job: string, script: string): TaskSpec {
    const command = ["sh", "-c", `echo ran >>runs; ${script}`];
    return { taskId: taskIdOf(job, 0, 1), job, index: 0, attempt: 1, command, env: {}, resources: noResources, graceMs: 3000 };
  }

  /** Runs an agent until what it knows is running, or has ended; each report it told, in order. */
  async function agent(tasks: readonly TaskSpec[], until: "running" | "finished", env = ""): Promise<TaskReport[]> {
    const { stdout, stderr } = await host.exec(`${path} ${env} node ${agentProgram} ${stateDir} --until ${until}`, {
      input: JSON.stringify(tasks),
    });
    const lines = stdout.split("\n").filter((line) => line.includes('"taskId"'));
    if (lines.length === 0 && env === "") throw new Error(`the agent told nothing: ${stderr}`);
    return lines.map((line) => taskReport.parse(JSON.parse(line)));
  }

  const lastOf = (reports: readonly TaskReport[], { taskId }: TaskSpec) => reports.filter((report) => report.taskId === taskId).at(-1);
  const runsOf = ({ taskId }: TaskSpec) => host.read(["cat", join(stateDir, "tasks", taskId, "work", "runs")]);

  test.each(["shutdown", "power-cut"] as const)("after a %s what ran is lost, what was only noted is started", async (how) => {
    const ran = aTask(`ran-${how}`, "sleep 300");
    // It would be told as a success if the host's own TERM counted as its end.
    const orderly = aTask(`orderly-${how}`, "trap 'exit 0' TERM; while :; do sleep 0.05; done");
    const ended = aTask(`ended-${how}`, "exit 7");
    const noted = aTask(`noted-${how}`, "exit 8");
    await agent([ended], "finished");
    await agent([ran, orderly], "running");
    await agent([noted], "running", "SPILLWAY_CRASH_AT=task.spec:after");
    const before = await host.bootId();
    await host.powerOff({ hard: how === "power-cut" });
    await host.powerOn();
    expect(await host.bootId()).not.toBe(before);
    const reports = await agent([], "finished");
    expect(lastOf(reports, ran)).toMatchObject({ state: "lost", reason: "the host was rebooted" });
    expect(lastOf(reports, orderly)).toMatchObject({ state: "lost", reason: "the host was rebooted" });
    expect(lastOf(reports, ended)).toMatchObject({ state: "failed", exitCode: 7, reason: "exited with 7" });
    expect(lastOf(reports, noted)).toMatchObject({ state: "failed", exitCode: 8 });
    for (const task of [ran, orderly, noted]) expect(await runsOf(task)).toBe("ran\n");
  });
});
