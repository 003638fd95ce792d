/** A node that was bought, as a process, against a master that says nothing, refuses it, or comes back in time. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { AgentConfig } from "../contract/agent-config.ts";
import { noResources } from "../contract/resources.ts";
import type { TaskSpec } from "../contract/workload.ts";
import { type FakeMaster, fakeMaster } from "./testing/fake-master.ts";
import { until } from "./testing/until.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 }); // processes on a machine that may be busy

const mainFile = resolve(import.meta.dirname, "../main.ts");
let master: FakeMaster;
let config: AgentConfig;
let children: ChildProcess[];
let told: string;

beforeEach(async () => {
  master = await fakeMaster();
  config = await master.node("b-1-1");
  children = [];
  told = "";
});

afterEach(async () => {
  for (const child of children) child.kill("SIGKILL");
  for (const pid of taskPids()) endGroup(pid);
  await master.close();
});

/** The supervisor of each task leads a group of its own. */
function taskPids(): number[] {
  const pids = join(master.directory, "pids");
  return existsSync(pids) ? readFileSync(pids, "utf8").trim().split("\n").map(Number) : [];
}

function endGroup(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function start(env: Record<string, string> = {}): { ended: Promise<number | string> } {
  const file = join(master.directory, "agent.json");
  writeFileSync(file, JSON.stringify(config));
  const child = spawn(process.execPath, [mainFile, "agent", "--config", file], {
    stdio: ["ignore", "ignore", "pipe"],
    env: { ...process.env, ...env },
  });
  children.push(child);
  child.stderr.on("data", (data: Buffer) => {
    told += data.toString();
  });
  return { ended: once(child, "exit").then(([code, signal]) => code ?? signal) };
}

function mark(): string {
  return join(master.directory, "machine-ended");
}

/** A task that runs until it is stopped. */
function aTask(): TaskSpec {
  const command = ["sh", "-c", `echo $$ >>${join(master.directory, "pids")}; exec sleep 300`];
  return { taskId: "job.0.1", job: "job", index: 0, attempt: 1, command, env: {}, resources: noResources, graceMs: 2000 };
}

test("a node that no master welcomes any more stops its tasks, ends its machine and exits with 0", async () => {
  config = { ...config, deadMan: { silenceMs: 1500, end: ["touch", mark()] } };
  const { ended } = start();
  await until("the agent greets", () => master.heard.some(({ type }) => type === "hello"));
  master.say({ type: "run", task: aTask() });
  await until("it runs", () => taskPids().length === 1);
  master.state.autoWelcome = false;
  for (const socket of master.sockets.control) socket.terminate();
  expect(await ended).toBe(0);
  expect(existsSync(mark())).toBe(true);
  expect(taskPids().filter(isAlive)).toEqual([]);
  expect(told).toMatch(/no master has welcomed this node for \d+\.\d s \(the limit is 1\.5 s\)/);
});

test("a refusal is no welcome", async () => {
  config = { ...config, deadMan: { silenceMs: 1500, end: ["touch", mark()] } };
  master.state.autoWelcome = false;
  const { ended } = start();
  await until("the agent greets", () => master.heard.some(({ type }) => type === "hello"));
  master.say({ type: "refused", reason: "another ledger" });
  expect(await ended).toBe(0);
  expect(existsSync(mark())).toBe(true);
});

test("a node that is welcomed again in time goes on, with its tasks", async () => {
  config = { ...config, deadMan: { silenceMs: 3000, end: ["touch", mark()] } };
  start();
  await until("the agent greets", () => master.heard.some(({ type }) => type === "hello"));
  master.say({ type: "run", task: aTask() });
  await until("it runs", () => taskPids().length === 1);
  master.state.autoWelcome = false;
  for (const socket of master.sockets.control) socket.terminate();
  const dialled = master.sockets.control.length;
  await until("it dials again", () => master.sockets.control.length > dialled);
  master.state.autoWelcome = true;
  for (const socket of master.sockets.control) socket.terminate();
  // Longer than the limit: by then an agent that had not been welcomed would have ended.
  const beats = master.heard.length + 100;
  await until("it beats on", () => master.heard.length >= beats);
  expect(existsSync(mark())).toBe(false);
  expect(taskPids().filter(isAlive)).toHaveLength(1);
});

test("a restart of the agent does not begin the time anew", async () => {
  config = { ...config, deadMan: { silenceMs: 8000, end: ["touch", mark()] } };
  writeFileSync(join(config.stateDir, "dead-man.json"), JSON.stringify({ silentMs: 7900, writtenAt: Date.now() }));
  master.state.autoWelcome = false;
  const begun = performance.now();
  expect(await start().ended).toBe(0);
  expect(performance.now() - begun).toBeLessThan(8000);
  expect(existsSync(mark())).toBe(true);
});

test.each(["before", "after"])("an agent killed %s it ends its machine does it when it is started again", async (moment) => {
  config = { ...config, deadMan: { silenceMs: 1000, end: ["touch", mark()] } };
  master.state.autoWelcome = false;
  const marker = join(master.directory, "crashed");
  const crash = { SPILLWAY_CRASH_AT: `dead-man.end:${moment}`, SPILLWAY_CRASH_MARKER: marker };
  expect(await start(crash).ended).toBe("SIGKILL");
  expect(existsSync(mark())).toBe(moment === "after");
  expect(await start(crash).ended).toBe(0);
  expect(existsSync(mark())).toBe(true);
});

test("a machine that can't be ended is told, and the agent fails, so that it is started again", async () => {
  config = { ...config, deadMan: { silenceMs: 1000, end: ["false"] } };
  master.state.autoWelcome = false;
  expect(await start().ended).toBe(1);
  expect(told).toContain("this machine can't be ended: it ended with 1");
});

test("a node that was removed waits for its machine to be taken away, and ends it when nobody does", async () => {
  config = { ...config, deadMan: { silenceMs: 1500, end: ["touch", mark()] } };
  const { ended } = start();
  await until("the agent greets", () => master.heard.some(({ type }) => type === "hello"));
  master.say({ type: "leave" });
  await until("it waits", () => told.includes("waits for its machine to be taken away"));
  expect(existsSync(mark())).toBe(false);
  expect(await ended).toBe(0);
  expect(existsSync(mark())).toBe(true);
});

test.each([
  ["its certificate is lost", (state: string) => rmSync(join(state, "cert.pem")), "this node has no certificate"],
  ["what runs can't be taken over", (state: string) => writeFileSync(join(state, "tasks"), ""), "EEXIST"],
])("an agent whose start fails again and again, since %s, still ends its machine", async (_, spoil, why) => {
  config = { ...config, deadMan: { silenceMs: 600_000, end: ["touch", mark()] } };
  // Each start costs 6 s of the time that is left.
  writeFileSync(join(config.stateDir, "dead-man.json"), JSON.stringify({ silentMs: 590_000, writtenAt: Date.now() }));
  spoil(config.stateDir);
  expect(await start().ended).toBe(1);
  expect(told).toContain(why);
  expect(existsSync(mark())).toBe(false);
  expect(await start().ended).toBe(0);
  expect(existsSync(mark())).toBe(true);
});

test("where the machine is its owner's, an agent that can't take over what runs does not pass for one that has stopped it", async () => {
  config = { ...config, deadMan: { silenceMs: 600_000, end: [] } };
  writeFileSync(join(config.stateDir, "dead-man.json"), JSON.stringify({ silentMs: 600_000, writtenAt: Date.now() }));
  writeFileSync(join(config.stateDir, "tasks"), "");
  expect(await start().ended).toBe(1);
  rmSync(join(config.stateDir, "tasks"));
  expect(await start().ended).toBe(0);
});

test("tasks of a node without a certificate are stopped before its machine is ended", async () => {
  config = { ...config, deadMan: { silenceMs: 600_000, end: ["touch", mark()] } };
  start();
  await until("the agent greets", () => master.heard.some(({ type }) => type === "hello"));
  master.say({ type: "run", task: aTask() });
  await until("it runs", () => taskPids().length === 1);
  const ended = once(children[0] as ChildProcess, "exit");
  children[0]?.kill("SIGKILL");
  await ended;
  writeFileSync(join(config.stateDir, "dead-man.json"), JSON.stringify({ silentMs: 600_000, writtenAt: Date.now() }));
  rmSync(join(config.stateDir, "cert.pem"));
  expect(await start().ended).toBe(0);
  expect(existsSync(mark())).toBe(true);
  expect(taskPids().filter(isAlive)).toEqual([]);
});
