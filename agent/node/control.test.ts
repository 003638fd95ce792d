import { afterEach, beforeEach, expect, test } from "vitest";
import type { NodeNotice } from "../contract/node.ts";
import { noResources } from "../contract/resources.ts";
import type { AgentMessage, MasterMessage } from "../contract/wire.ts";
import { type Control, connectControl, pauseMs } from "./control.ts";
import { createLog } from "./log.ts";
import { type FakeMaster, fakeMaster } from "./testing/fake-master.ts";
import { until } from "./testing/until.ts";

let master: FakeMaster;
let controls: Control[];
let told: string[];
let messages: MasterMessage[];

beforeEach(async () => {
  master = await fakeMaster();
  controls = [];
  told = [];
  messages = [];
});
afterEach(async () => {
  for (const control of controls) control.close();
  await master.close();
});

const facts = {
  hostname: "h",
  os: "linux",
  arch: "x64",
  kernel: "6",
  bootId: "b",
  cpuCount: 1,
  memoryMiB: 1,
  diskFreeMiB: 1,
  enforced: [],
};
const hello: AgentMessage = { type: "hello", wire: 1, agentVersion: "0", bundle: "b", facts, measured: noResources, tasks: [] };

async function connect(name = "m1", timing: Parameters<typeof connectControl>[0]["timing"] = {}): Promise<Control> {
  const control = connectControl({
    config: await master.node(name),
    hello: async () => () => hello,
    onMessage: (message) => messages.push(message),
    log: createLog(`node/${name}`, (line) => told.push(line)),
    timing: { shortestPauseMs: 10, longestPauseMs: 20, ...timing },
  });
  controls.push(control);
  return control;
}

/** The master of `beforeEach` with another pace. */
async function replaced(former: FakeMaster, options: Parameters<typeof fakeMaster>[0]): Promise<FakeMaster> {
  await former.close();
  return fakeMaster(options);
}

const count = (type: AgentMessage["type"]) => master.heard.filter((message) => message.type === type).length;

test("an agent greets, is welcomed, and beats at the master's pace", async () => {
  await connect();
  await until("three heartbeats", () => count("heartbeat") >= 3);
  expect(master.heard[0]).toEqual(hello);
  expect(count("hello")).toBe(1);
});

test("what its cloud announces is in every heartbeat, and in one at once when it is new", async () => {
  master = await replaced(master, { heartbeatIntervalMs: 60_000 });
  let announced: NodeNotice | null | undefined;
  const control = connectControl({
    config: await master.node("m1"),
    hello: async () => () => hello,
    onMessage: () => undefined,
    notice: () => announced,
    log: createLog("node/m1", (line) => told.push(line)),
  });
  controls.push(control);
  await until("the first heartbeat", () => count("heartbeat") === 1);
  announced = { kind: "reclaim", at: 5, text: "EC2 takes this spot instance back (terminate)" };
  control.beat();
  announced = null;
  control.beat();
  await until("all three", () => count("heartbeat") === 3);
  const heartbeats = master.heard.filter(({ type }) => type === "heartbeat");
  expect(heartbeats[0]).toEqual({ type: "heartbeat", sentAt: expect.any(Number) });
  expect(heartbeats.slice(1)).toMatchObject([{ notice: { kind: "reclaim", at: 5 } }, { notice: null }]);
});

test("what the master says arrives; what makes no sense is told and dropped, and the link lives on", async () => {
  await connect();
  await until("a heartbeat", () => count("heartbeat") > 0);
  master.say("{ not json");
  master.say({ type: "dance" });
  master.say({ type: "recorded" });
  master.say({ type: "recorded", taskId: "job.0.1", newKey: true });
  await until("the message", () => messages.length > 0);
  expect(messages).toEqual([{ type: "recorded", taskId: "job.0.1" }]);
  expect(told.filter((line) => line.includes("makes no sense")).length).toBe(3);
  expect(master.sockets.control.length).toBe(1);
});

test("after a broken connection it dials again and greets anew", async () => {
  const control = await connect();
  await until("a heartbeat", () => count("heartbeat") > 0);
  master.sockets.control[0]?.terminate();
  await until("the second greeting", () => count("hello") === 2);
  await until("it can send again", () => control.send({ type: "heartbeat", sentAt: 1 }));
});

test("a report without a connection is not sent, and the caller knows", async () => {
  const control = await connect();
  expect(control.send({ type: "heartbeat", sentAt: 1 })).toBe(false);
});

test("a master that answers nothing any more is left, and dialled again", async () => {
  await connect("m1", { deadAfterPings: 2 });
  await until("a heartbeat", () => count("heartbeat") > 0);
  master.sockets.control[0]?.pause(); // as a host that vanished: the connection stays, nothing is answered
  await until("the second greeting", () => count("hello") === 2);
});

test("a master that never says welcome is left", async () => {
  master.state.autoWelcome = false;
  await connect("m1", { welcomeTimeoutMs: 50 });
  await until("two greetings", () => count("hello") >= 2);
});

test("an agent that is refused says why and stays away for long", async () => {
  master.state.autoWelcome = false;
  await connect("m1", { refusedPauseMs: 300 });
  await until("the greeting", () => count("hello") === 1);
  const refusedAt = Date.now();
  master.say({ type: "refused", reason: "the node was removed" });
  await until("the second greeting", () => count("hello") === 2);
  expect(Date.now() - refusedAt).toBeGreaterThanOrEqual(290);
  expect(told.join("")).toContain("the node was removed");
});

test("a removed node that dials again is told to leave before any welcome", async () => {
  master.state.autoWelcome = false;
  await connect();
  await until("the greeting", () => count("hello") === 1);
  master.say({ type: "leave" });
  await until("the message", () => messages.length > 0);
  expect(messages).toEqual([{ type: "leave" }]);
});

test.each([
  [3_600_000, "behind"],
  [-3_600_000, "ahead of"],
])("a master's clock that is %i ms from this host's is told as this host being %s it", async (offset, word) => {
  master.state.autoWelcome = false;
  await connect();
  await until("the greeting", () => count("hello") === 1);
  master.say({ type: "welcome", wire: 1, heartbeatIntervalMs: 50, masterTime: Date.now() + offset });
  await until("the warning", () =>
    told.some((line) => line.includes("this host's clock is 3") && line.includes(`ms ${word} the master's`)),
  );
});

test("a node without a good certificate gets no connection", async () => {
  const config = await master.node("m1", { life: { from: -7_200_000, until: -3_600_000 } });
  const log = createLog("node/m1", (line) => told.push(line));
  controls.push(
    connectControl({ config, hello: async () => () => hello, onMessage: () => undefined, log, timing: { shortestPauseMs: 10 } }),
  );
  await until("the fault is told", () => told.length > 0);
  expect(master.heard).toEqual([]);
});

test("pauses double from the shortest to the longest, and are spread", () => {
  const timing = { shortestPauseMs: 200, longestPauseMs: 5000 };
  expect([0, 1, 2, 3, 10, 1000].map((failures) => pauseMs(failures, timing, 1))).toEqual([200, 400, 800, 1600, 5000, 5000]);
  expect(pauseMs(3, timing, 0)).toBe(800);
  expect(pauseMs(0, timing, 0)).toBe(200);
});
