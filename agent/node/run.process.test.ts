/** The whole agent, against a master that is told what to say: as a process where it is killed, else within this one, which costs no start. */
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
import { createLog } from "./log.ts";
import { runAgent } from "./run.ts";
import { type FakeMaster, fakeMaster } from "./testing/fake-master.ts";
import { until } from "./testing/until.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 }); // several processes each, on a machine that may be busy

const mainFile = resolve(import.meta.dirname, "../main.ts");
const taskSupervisor = resolve(import.meta.dirname, "../bundle/task-supervisor.sh");
let master: FakeMaster;
let config: AgentConfig;
/** What each agent that was started ended with; undefined while it runs. */
let agents: Agent[];
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
  if (agents.every((agent) => agent.code !== undefined)) await startAgent();
  await until("the agent listens", () => master.say({ type: "leave" }) === undefined && agents.every((agent) => agent.code !== undefined));
  await master.close();
});

interface Agent {
  code: number | NodeJS.Signals | undefined;
  readonly ended: Promise<number | NodeJS.Signals>;
}

async function greeted<T extends Agent>(start: () => T): Promise<T> {
  const greetings = hellos().length;
  const agent = start();
  agents.push(agent);
  void (async () => {
    agent.code = await agent.ended;
  })();
  await until("the agent greets", () => hellos().length > greetings || agent.code !== undefined);
  return agent;
}

function configFile(): string {
  const file = join(master.directory, "agent.json");
  writeFileSync(file, JSON.stringify(config));
  return file;
}

/** Within this process. */
function startAgent(): Promise<Agent & { readonly end: AbortController }> {
  const end = new AbortController();
  const log = createLog("node/m1", (line) => {
    told += line;
  });
  const renewCommand = [process.execPath, mainFile, "renew", "--config", configFile()];
  return greeted(() => ({
    code: undefined,
    end,
    ended: runAgent({ config, bundle: "development", taskSupervisor, renewCommand, signal: end.signal, log }),
  }));
}

/** As a process of its own, which can be killed. */
function spawnAgent(env: Record<string, string> = {}): Promise<Agent & { readonly process: ChildProcess }> {
  const agent = spawn(process.execPath, [mainFile, "agent", "--config", configFile()], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
  });
  agent.stderr.on("data", (data: Buffer) => {
    told += data.toString();
  });
  return greeted(() => ({ code: undefined, process: agent, ended: once(agent, "exit").then(([code, signal]) => code ?? signal) }));
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
  const first = await spawnAgent();
  const go = join(master.directory, "go");
  const task = aTask(`until [ -e ${go} ]; do sleep 0.02; done; exit 5`);
  master.say({ type: "run", task });
  await until("it runs", () => reports(task.taskId).length === 1);
  first.process.kill("SIGKILL");
  expect(await first.ended).toBe("SIGKILL");
  await startAgent();
  expect(hellos().at(-1)?.tasks).toMatchObject([{ taskId: task.taskId, state: "running" }]);
  writeFileSync(go, "");
  await until("its end", () => reports(task.taskId).at(-1)?.state === "failed");
  expect(reports(task.taskId).at(-1)).toMatchObject({ exitCode: 5 });
});

test("TERM ends the agent at once with 143, and its tasks go on", async () => {
  const first = await spawnAgent();
  const task = aTask("sleep 300");
  master.say({ type: "run", task });
  await until("it runs", () => reports(task.taskId).length === 1);
  first.process.kill("SIGTERM");
  expect(await first.ended).toBe(143);
  await startAgent();
  expect(hellos().at(-1)?.tasks).toMatchObject([{ taskId: task.taskId, state: "running" }]);
});

test("an agent that is told to leave stops every task with grace and exits with 0", async () => {
  const agent = await startAgent();
  const tasks = [aTask("sleep 300"), aTask("trap 'exit 9' TERM; while :; do sleep 0.02; done")];
  for (const task of tasks) master.say({ type: "run", task });
  await until("both run", () => tasks.every(({ taskId }) => reports(taskId).length === 1));
  master.state.autoRecord = true;
  master.say({ type: "leave" });
  expect(await agent.ended).toBe(0);
  for (const { taskId } of tasks) expect(reports(taskId).at(-1)).toMatchObject({ state: "cancelled" });
});

test("a node that was removed while it was away is told to leave when it dials, before any welcome: it stops what runs and exits with 0", async () => {
  const first = await startAgent();
  const task = aTask("sleep 300");
  master.say({ type: "run", task });
  await until("it runs", () => reports(task.taskId).length === 1);
  first.end.abort("a test");
  await first.ended;
  Object.assign(master.state, { autoWelcome: false, autoRecord: true });
  const second = await startAgent();
  master.say({ type: "leave" });
  expect(await second.ended).toBe(0);
  expect(reports(task.taskId).at(-1)).toMatchObject({ state: "cancelled" });
});

test.each(["task.spec", "task.start", "task.stop", "task.report", "task.forget"].flatMap((point) => [`${point}:before`, `${point}:after`]))(
  "an agent killed at %s runs the task's command once and tells its end",
  async (crashAt) => {
    const marker = join(master.directory, "crashed");
    const doomed = await spawnAgent({ SPILLWAY_CRASH_AT: crashAt, SPILLWAY_CRASH_MARKER: marker });
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
      expect(await doomed.ended).toBe("SIGKILL");
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

test("the agent renews its certificate at two thirds of its life, in a process of its own; its connection and its tasks go on", async () => {
  config = await master.node("m1", { life: { from: -7000, until: 5000 } });
  const before = readFileSync(join(config.stateDir, "cert.pem"), "utf8");
  await startAgent();
  const task = aTask("until [ -e go ]; do sleep 0.02; done; exit 5");
  master.say({ type: "run", task });
  await until("it runs", () => reports(task.taskId).length === 1);
  await until("it asks for a new one", () => master.requests.some(({ path, peer }) => path === "/v1/renew" && peer === "m1"));
  await until("it is there", () => readFileSync(join(config.stateDir, "cert.pem"), "utf8") !== before);
  await until("it is told", () => told.includes("is good until"));
  writeFileSync(join(config.stateDir, "tasks", task.taskId, "work", "go"), "");
  await until("its end", () => reports(task.taskId).length === 2);
  expect(reports(task.taskId)).toMatchObject([{ state: "running" }, { state: "failed", exitCode: 5 }]);
  expect(master.sockets.control).toHaveLength(1);
});

test("an agent that never joined says so and exits with 1", async () => {
  rmSync(join(config.stateDir, "cert.pem"));
  expect(await (await spawnAgent()).ended).toBe(1);
  expect(told).toContain("has no certificate");
  config = await master.node("m1");
});
