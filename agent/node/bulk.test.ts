import { appendFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { initialCreditBytes, maxDataBytes } from "../contract/wire.ts";
import { type Bulk, bulkConnection } from "./bulk.ts";
import type { TaskOutput } from "./executor/executor.ts";
import { createLog } from "./log.ts";
import { type FakeMaster, fakeMaster } from "./testing/fake-master.ts";
import { until } from "./testing/until.ts";

let master: FakeMaster;
let bulk: Bulk;
let directory: string;
let hasFinished: boolean;
let cutOfStdout: number;

beforeEach(async () => {
  master = await fakeMaster();
  directory = join(master.directory, "task");
  mkdirSync(directory);
  hasFinished = false;
  cutOfStdout = 0;
  bulk = await aBulk();
});
afterEach(async () => {
  bulk.close();
  await master.close();
});

async function aBulk(options: { idleMs?: number; retryMs?: number } = {}): Promise<Bulk> {
  const output = (taskId: string): TaskOutput | undefined =>
    taskId !== "job.0.1"
      ? undefined
      : {
          directory,
          files: { stdout: join(directory, "stdout.log"), stderr: join(directory, "stderr.log") },
          cutOf: (channel) => (channel === "stdout" ? cutOfStdout : 0),
          finished: () => hasFinished,
        };
  const log = createLog("node/m1", () => undefined);
  return bulkConnection({ config: await master.node("m1"), output, log, ...options });
}

async function openLog(stream: number, follow: boolean, taskId = "job.0.1", more: { skips?: boolean } = {}): Promise<void> {
  bulk.open();
  await until("the bulk connection", () => master.sockets.bulk.length > 0);
  master.sayBulk({ type: "open-log", stream, taskId, follow, ...more });
}

const received = (stream: number, channel = "stdout") =>
  Buffer.concat(master.bulkBytes.filter((data) => data.stream === stream && data.channel === channel).map((data) => data.bytes));
const endOf = (stream: number) =>
  master.bulkHeard.flatMap((message) => (message.type === "end" && message.stream === stream ? message : [])).at(0);
const write = (name: string, content: string | Buffer) => writeFileSync(join(directory, `${name}.log`), content);

test("a log is sent by channel, then its end", async () => {
  write("stdout", "out");
  write("stderr", "err");
  await openLog(1, false);
  await until("the end", () => endOf(1) !== undefined);
  expect(endOf(1)).toEqual({ type: "end", stream: 1 });
  expect(received(1).toString()).toBe("out");
  expect(received(1, "stderr").toString()).toBe("err");
});

test("a followed log goes on until the task has ended and all of it is sent", async () => {
  await openLog(1, true);
  write("stdout", "one ");
  await until("the first words", () => received(1).toString() === "one ");
  appendFileSync(join(directory, "stdout.log"), "two ");
  await until("the next", () => received(1).toString() === "one two ");
  expect(endOf(1)).toBeUndefined();
  appendFileSync(join(directory, "stdout.log"), "three");
  hasFinished = true;
  await until("the end", () => endOf(1) !== undefined);
  expect(received(1).toString()).toBe("one two three");
});

test("a log that is not followed ends where it is, though the task goes on", async () => {
  write("stdout", "so far");
  await openLog(1, false);
  await until("the end", () => endOf(1) !== undefined);
  expect(received(1).toString()).toBe("so far");
});

test("no more bytes are under way than the credit allows, each frame is small, and none is lost", async () => {
  const content = Buffer.alloc(initialCreditBytes * 3 + 17, "0123456789");
  write("stdout", content);
  await openLog(1, false);
  await until("the credit is used up", () => received(1).length === initialCreditBytes);
  master.sayBulk({ type: "credit", stream: 1, bytes: 1000 });
  await until("the next bytes", () => received(1).length === initialCreditBytes + 1000);
  expect(endOf(1)).toBeUndefined();
  master.sayBulk({ type: "credit", stream: 1, bytes: content.length });
  await until("the end", () => endOf(1) !== undefined);
  expect(received(1).equals(content)).toBe(true);
  expect(Math.max(...master.bulkBytes.map(({ bytes }) => bytes.length))).toBeLessThanOrEqual(maxDataBytes);
});

test("a stream without credit does not hold up another", async () => {
  write("stdout", Buffer.alloc(initialCreditBytes * 2, "x"));
  await openLog(1, false);
  await until("the credit is used up", () => received(1).length === initialCreditBytes);
  await openLog(2, false);
  await until("the other one moves", () => received(2).length === initialCreditBytes);
});

test("a closed stream sends nothing more", async () => {
  await openLog(1, true);
  write("stdout", "one");
  await until("the first word", () => received(1).toString() === "one");
  master.sayBulk({ type: "close", stream: 1 });
  await openLog(2, false);
  await until("the close was heard", () => endOf(2) !== undefined);
  appendFileSync(join(directory, "stdout.log"), "two");
  hasFinished = true;
  await openLog(3, false);
  await until("the end of a later one", () => endOf(3) !== undefined);
  expect(received(1).toString()).toBe("one");
  expect(endOf(1)).toBeUndefined();
});

test("a task this node does not know ends with an error", async () => {
  await openLog(1, true, "job.0.9");
  await until("the end", () => endOf(1) !== undefined);
  expect(endOf(1)?.error).toContain("no output of job.0.9");
});

test("frames that make no sense are dropped", async () => {
  write("stdout", "out");
  bulk.open();
  await until("the bulk connection", () => master.sockets.bulk.length > 0);
  master.sayBulk({ type: "open-log" });
  master.sayBulk("nonsense");
  master.sayBulk({ type: "credit", stream: 77, bytes: 5 });
  await openLog(1, false);
  await until("the end", () => endOf(1) !== undefined);
});

test("the connection closes when nobody reads, and opens again when it is asked for", async () => {
  bulk = await aBulk({ idleMs: 50 });
  write("stdout", "out");
  await openLog(1, false);
  await until("the end", () => endOf(1) !== undefined);
  await until("the connection is closed", () => master.sockets.bulk[0]?.readyState === 3);
  await until("it opens again", () => {
    bulk.open();
    return master.sockets.bulk.length === 2;
  });
});

test("one that is asked for just while it closes is opened again", async () => {
  bulk = await aBulk({ idleMs: 20 });
  bulk.open();
  await until("the bulk connection", () => master.sockets.bulk.length === 1);
  // The master's end answers the close only after this, so the agent's is still closing.
  master.sockets.bulk[0]?.once("close", () => bulk.open());
  await until("another connection", () => master.sockets.bulk.length === 2);
});

test("a dial that fails is tried again a few times, then given up", async () => {
  const config = await master.node("m1");
  bulk = bulkConnection({
    config: { ...config, endpoint: "https://127.0.0.1:1" },
    output: () => undefined,
    log: createLog("node/m1", (line) => failures.push(line)),
    retryMs: 5,
  });
  const failures: string[] = [];
  bulk.open();
  await until("four dials have failed", () => failures.length === 4);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(failures.length).toBe(4);
});

test("what was cut off the beginning of a log is told as such, and the rest is sent", async () => {
  write("stdout", `${"\0".repeat(100)}rest`);
  cutOfStdout = 100;
  hasFinished = true;
  await openLog(1, true, "job.0.1", { skips: true });
  await until("the end", () => endOf(1) !== undefined);
  expect(master.bulkHeard).toContainEqual({ type: "skipped", stream: 1, channel: "stdout", bytes: 100 });
  expect(received(1).toString()).toBe("rest");
});

test("a master that knows nothing of cuts gets a line that says so", async () => {
  write("stdout", `${"\0".repeat(100)}rest`);
  cutOfStdout = 100;
  await openLog(1, false);
  await until("the end", () => endOf(1) !== undefined);
  expect(received(1).toString()).toMatch(/^\[spillway: 100 bytes .* no longer there.*\]\nrest$/);
});

test("what is cut while a log is read is never sent as output", async () => {
  write("stdout", "x".repeat(100));
  await openLog(1, true, "job.0.1", { skips: true });
  await until("the first bytes", () => received(1).length === 100);
  write("stdout", `${"\0".repeat(300)}rest`);
  cutOfStdout = 300;
  hasFinished = true;
  appendFileSync(join(directory, "stdout.log"), "!");
  await until("the end", () => endOf(1) !== undefined);
  expect(master.bulkHeard).toContainEqual({ type: "skipped", stream: 1, channel: "stdout", bytes: 200 });
  expect(received(1).toString()).toBe(`${"x".repeat(100)}rest!`);
});
