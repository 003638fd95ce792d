/** The whole agent as a process, against a master that is told what to say. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { AgentConfig } from "../contract/agent-config.ts";
import { noResources } from "../contract/resources.ts";
import { productVersion, wireVersion } from "../contract/version.ts";
import type { AgentMessage } from "../contract/wire.ts";
import { type TaskReport, type TaskSpec, taskIdOf } from "../contract/workload.ts";
import { type FakeMaster, fakeMaster } from "./testing/fake-master.ts";
import { until } from "./testing/until.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 }); // several processes each, on a machine that may be busy

const mainFile = resolve(import.meta.dirname, "../main.ts");
let master: FakeMaster;
let config: AgentConfig;
let agents: ChildProcess[];
let told: string;

beforeEach(async () => {
  master = await fakeMaster();
  config = await master.node("m1");
  agents = [];
  told = "";
});

afterEach(async () => {
  // Whatever a test left: a node that is told to leave stops its tasks and ends.
  master.state.autoRecord = true;
  if (agents.every((agent) => agent.exitCode !== null || agent.signalCode !== null)) await startAgent();
  await until("the agent listens", () => master.say({ type: "leave" }) === undefined && agents.at(-1)?.exitCode === 0);
  await master.close();
});

async function startAgent(env: Record<string, string> = {}): Promise<ChildProcess> {
  const configFile = join(master.directory, "agent.json");
  writeFileSync(configFile, JSON.stringify(config));
  const greetings = hellos().length;
  const agent = spawn(process.execPath, [mainFile, "agent", "--config", configFile], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
  });
  agent.stderr?.on("data", (data: Buffer) => {
    told += data.toString();
  });
  agents.push(agent);
  await until("the agent greets", () => hellos().length > greetings || agent.exitCode !== null || agent.signalCode !== null);
  return agent;
}

async function ended(agent: ChildProcess): Promise<number | NodeJS.Signals | null> {
  if (agent.exitCode === null && agent.signalCode === null) await once(agent, "exit");
  return agent.exitCode ?? agent.signalCode;
}

function hellos(): Extract<AgentMessage, { type: "hello" }>[] {
  return master.heard.filter((message) => message.type === "hello");
}

function reports(taskId: string): TaskReport[] {
  return master.heard.flatMap((message) => (message.type === "task" && message.report.taskId === taskId ? [message.report] : []));
}

let attempts = 0;
function aTask(script: string): TaskSpec {
  const attempt = ++attempts;
  const taskId = taskIdOf("job", 0, attempt);
  return { taskId, job: "job", index: 0, attempt, command: ["sh", "-c", script], env: {}, resources: noResources, graceMs: 2000 };
}

test("an agent greets with its facts, runs what it is told, and reports how it went until that is recorded", async () => {
  await startAgent();
  expect(hellos()[0]).toMatchObject({ wire: wireVersion, agentVersion: productVersion, bundle: "development", tasks: [] });
  expect(hellos()[0]?.facts.cpuCount).toBe((hellos()[0]?.measured.cpu ?? 0) / 1000);
  const task = aTask("exit 3");
  master.say({ type: "run", task });
  await until("its end", () => reports(task.taskId).length === 2);
  expect(reports(task.taskId)).toMatchObject([{ state: "running" }, { state: "failed", exitCode: 3, reason: "exited with 3" }]);
  master.say({ type: "recorded", taskId: task.taskId });
  await until("it is marked", () => existsSync(join(config.stateDir, "tasks", task.taskId, "recorded")));
});

test("a task's output goes over the bulk connection", async () => {
  await startAgent();
  const task = aTask("echo hi; sleep 0.2; echo there");
  master.say({ type: "run", task });
  master.say({ type: "open-bulk" });
  await until("the bulk connection", () => master.sockets.bulk.length === 1);
  master.sayBulk({ type: "open-log", stream: 1, taskId: task.taskId, follow: true });
  await until("the end", () => master.bulkHeard.length === 1);
  expect(Buffer.concat(master.bulkBytes.map(({ bytes }) => bytes)).toString()).toBe("hi\nthere\n");
});

test("a killed agent's task goes on; the next agent tells of it in its greeting, and of its end", async () => {
  const first = await startAgent();
  const go = join(master.directory, "go");
  const task = aTask(`until [ -e ${go} ]; do sleep 0.02; done; exit 5`);
  master.say({ type: "run", task });
  await until("it runs", () => reports(task.taskId).length === 1);
  first.kill("SIGKILL");
  expect(await ended(first)).toBe("SIGKILL");
  await startAgent();
  expect(hellos().at(-1)?.tasks).toMatchObject([{ taskId: task.taskId, state: "running" }]);
  writeFileSync(go, "");
  await until("its end", () => reports(task.taskId).at(-1)?.state === "failed");
  expect(reports(task.taskId).at(-1)).toMatchObject({ exitCode: 5 });
});

test("TERM ends the agent at once with 143, and its tasks go on", async () => {
  const first = await startAgent();
  const task = aTask("sleep 300");
  master.say({ type: "run", task });
  await until("it runs", () => reports(task.taskId).length === 1);
  first.kill("SIGTERM");
  expect(await ended(first)).toBe(143);
  await startAgent();
  expect(hellos().at(-1)?.tasks).toMatchObject([{ taskId: task.taskId, state: "running" }]);
});

test("an agent that is told to leave stops every task with grace and exits with 0", async () => {
  const agent = await startAgent();
  const tasks = [aTask("sleep 300"), aTask("trap 'exit 9' TERM; while :; do sleep 0.02; done")];
  for (const task of tasks) master.say({ type: "run", task });
  await until("both run", () => tasks.every(({ taskId }) => reports(taskId).length === 1));
  master.say({ type: "leave" });
  expect(await ended(agent)).toBe(0);
  for (const { taskId } of tasks) expect(reports(taskId).at(-1)).toMatchObject({ state: "cancelled" });
});

test.each(["task.spec", "task.start", "task.stop", "task.report", "task.forget"].flatMap((point) => [`${point}:before`, `${point}:after`]))(
  "an agent killed at %s runs the task's command once and tells its end",
  async (crashAt) => {
    const marker = join(master.directory, "crashed");
    const doomed = await startAgent({ SPILLWAY_CRASH_AT: crashAt, SPILLWAY_CRASH_MARKER: marker });
    const runs = join(master.directory, "runs");
    const task = aTask(`echo ran >>${runs}; ${crashAt.startsWith("task.stop") ? "sleep 300" : "exit 4"}`);
    const say = () => {
      // A master repeats itself until it hears what it wants.
      if (reports(task.taskId).length === 0) master.say({ type: "run", task });
      if (crashAt.startsWith("task.stop") && existsSync(runs)) {
        master.say({ type: "stop", taskId: task.taskId, graceMs: 1000, reason: "test" });
      }
      for (const report of reports(task.taskId)) if (report.state === "failed") master.say({ type: "recorded", taskId: task.taskId });
    };
    const talk = setInterval(say, 20);
    try {
      expect(await ended(doomed)).toBe("SIGKILL");
      expect(readFileSync(marker, "utf8")).toBe(crashAt.split(":")[0]);
      await startAgent();
      const last = () =>
        reports(task.taskId).at(-1) ??
        hellos()
          .at(-1)
          ?.tasks.find(({ taskId }) => taskId === task.taskId);
      const end = crashAt.startsWith("task.stop") ? "cancelled" : "failed";
      await until("its end", () => last()?.state === end);
      expect(readFileSync(runs, "utf8")).toBe("ran\n");
    } finally {
      clearInterval(talk);
    }
  },
);

test("the agent renews its certificate at two thirds of its life, in a process of its own", async () => {
  config = await master.node("m1", { life: { from: -6000, until: 6000 } });
  const before = readFileSync(join(config.stateDir, "cert.pem"), "utf8");
  await startAgent();
  await until("it asks for a new one", () => master.requests.some(({ path, peer }) => path === "/v1/renew" && peer === "m1"));
  await until("it is there", () => readFileSync(join(config.stateDir, "cert.pem"), "utf8") !== before);
  await until("it is told", () => told.includes("is good until"));
});

test("an agent that never joined says so and exits with 1", async () => {
  rmSync(join(config.stateDir, "cert.pem"));
  expect(await ended(await startAgent())).toBe(1);
  expect(told).toContain("has no certificate");
  config = await master.node("m1");
});
