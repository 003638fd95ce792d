import { describe, expect, test } from "vitest";
import type { LogLine } from "../agent/contract/api.ts";
import { SpillwayError } from "../agent/contract/errors.ts";
import type { Attempt, JobDetail, JobIndex } from "../agent/contract/workload.ts";
import { exitCodeOf, followJob } from "./run-job.ts";
import { aJob } from "./testing/fake-master.ts";

const ran = (overrides: Partial<Attempt>): Attempt => ({
  attempt: 1,
  taskId: `j1.0.${overrides.attempt ?? 1}`,
  node: "m1",
  state: "succeeded",
  assignedAt: 1,
  startedAt: 2,
  finishedAt: 3,
  ...overrides,
});
const index = (state: JobIndex["state"], attempts: Attempt[], at = 0): JobIndex => ({ index: at, state, attempts });
const line = (channel: "stdout" | "stderr", text: string): LogLine => ({ channel, data: Buffer.from(text).toString("base64") });
const end: LogLine = { end: true };

interface Story {
  /** What the master says, one after the other; the last is repeated. */
  readonly states: readonly (JobDetail | Error)[];
  /** The output by attempt; each entry is one opening of the log, an Error breaks it off. */
  readonly logs?: Record<number, readonly (readonly (LogLine | Error)[])[]>;
}

async function follow({ states, logs = {} }: Story) {
  const out = { stdout: "", stderr: "" };
  const told: string[] = [];
  const opened = new Map<number, number>();
  let asked = 0;
  const client = {
    job: (): Promise<JobDetail> => {
      const state = states[Math.min(asked, states.length - 1)] ?? new Error("the story has no state");
      asked += 1;
      return state instanceof Error ? Promise.reject(state) : Promise.resolve(state);
    },
    logs: async function* (_: string, query: { attempt?: number } = {}): AsyncGenerator<LogLine, void> {
      const attempt = query.attempt ?? 1;
      const openings = logs[attempt] ?? [[end]];
      const at = opened.get(attempt) ?? 0;
      opened.set(attempt, at + 1);
      for (const item of openings[Math.min(at, openings.length - 1)] ?? []) {
        await Promise.resolve();
        if (item instanceof Error) throw item;
        yield item;
      }
    },
  };
  const sink = (channel: "stdout" | "stderr") => (bytes: Buffer) => {
    out[channel] += bytes.toString();
    return Promise.resolve();
  };
  const detail = await followJob({
    client,
    job: "j1",
    sinks: { stdout: sink("stdout"), stderr: sink("stderr") },
    tell: (text) => void told.push(text),
    status: () => undefined,
    signal: new AbortController().signal,
  });
  return { detail, out, told, asked };
}

const broken = new SpillwayError("broke off", { code: "stream-interrupted" });

describe("following a job", () => {
  test("its output arrives on the same two streams", async () => {
    const done = aJob({ state: "failed", indexes: [index("failed", [ran({ state: "failed", exitCode: 3 })])] });
    const { out, detail, told } = await follow({
      states: [aJob({ state: "pending" }), done],
      logs: { 1: [[line("stdout", "hi\n"), line("stderr", "oh"), end]] },
    });
    expect(out).toEqual({ stdout: "hi\n", stderr: "oh" });
    expect(detail?.state).toBe("failed");
    expect(told).toEqual([]);
  });

  test("a log that broke off goes on where it was, without a byte twice", async () => {
    const done = aJob({ state: "succeeded", indexes: [index("succeeded", [ran({})])] });
    const { out } = await follow({
      states: [done],
      logs: {
        1: [
          [line("stdout", "one\ntw"), line("stderr", "e1"), broken],
          [line("stdout", "one\n"), line("stdout", "two\n"), line("stderr", "e1e2"), end],
        ],
      },
    });
    expect(out).toEqual({ stdout: "one\ntwo\n", stderr: "e1e2" });
  });

  test("a log that a stopping master ended before the task did is opened again", async () => {
    const away = new SpillwayError("the master can't be reached", { code: "master-unreachable" });
    const running = aJob({ state: "running", indexes: [index("active", [ran({ state: "running" })])] });
    const done = aJob({ state: "succeeded", indexes: [index("succeeded", [ran({})])] });
    const { out } = await follow({
      states: [running, away, done],
      logs: {
        1: [
          [line("stdout", "first "), end],
          [line("stdout", "first second\n"), end],
        ],
      },
    });
    expect(out.stdout).toBe("first second\n");
  });

  test("a retried attempt is announced with its reason, and the next one's output follows", async () => {
    const first = ran({ state: "failed", exitCode: 1, reason: "exit code 1" });
    const states = [
      aJob({ state: "pending", indexes: [index("pending", [first])] }),
      aJob({ state: "succeeded", indexes: [index("succeeded", [first, ran({ attempt: 2 })])] }),
    ];
    const { out, told } = await follow({ states, logs: { 1: [[line("stdout", "first\n"), end]], 2: [[line("stdout", "second\n"), end]] } });
    expect(out.stdout).toBe("first\nsecond\n");
    expect(told).toEqual(["j1: attempt 1 on m1 failed (exit code 1); it is tried again"]);
  });

  test("a short absence of the master is told and waited for", async () => {
    const away = new SpillwayError("the master can't be reached", { code: "master-unreachable" });
    const done = aJob({ state: "succeeded", indexes: [index("succeeded", [ran({})])] });
    const { detail, told } = await follow({ states: [away, done] });
    expect(detail?.state).toBe("succeeded");
    expect(told).toEqual([expect.stringContaining("trying again"), "The master answers again."]);
  });

  test("any other fault is not waited for", async () => {
    const fault = new SpillwayError("there is no job j1", { code: "no-such-job" });
    await expect(follow({ states: [fault] })).rejects.toBe(fault);
  });

  test("output that can't be read any more does not hide how the job ended", async () => {
    const lost = aJob({ state: "failed", indexes: [index("failed", [ran({ state: "lost" })])] });
    const { detail, told } = await follow({
      states: [lost],
      logs: { 1: [[line("stdout", "some"), { end: true, error: "the node is gone" }]] },
    });
    expect(detail?.state).toBe("failed");
    expect(told).toEqual([expect.stringContaining("the node is gone")]);
  });

  test("an array's lines begin with their index, and tasks don't mix within a line", async () => {
    const spec = { ...aJob({ state: "succeeded" }).spec, count: 2 };
    const done = aJob({
      state: "succeeded",
      spec,
      indexes: [index("succeeded", [ran({})]), index("succeeded", [ran({ taskId: "j1.1.1" })], 1)],
    });
    const { out } = await follow({ states: [done], logs: { 1: [[line("stdout", "a"), line("stdout", "b\nc"), end]] } });
    expect(out.stdout.split("\n").toSorted()).toEqual(["", "0: ab", "0: c", "1: ab", "1: c"]);
  });
});

test("the end of each log of a big array does not ask for the whole job anew", async () => {
  const indexes = Array.from({ length: 100 }, (_, at) => index("succeeded", [ran({ taskId: `j1.${at}.1` })], at));
  const done = aJob({ state: "succeeded", spec: { ...aJob({ state: "succeeded" }).spec, count: 100 }, indexes });
  const { out, asked } = await follow({ states: [done], logs: { 1: [[line("stdout", "x\n"), end]] } });
  expect(out.stdout.split("\n").length).toBe(101);
  expect(asked).toBeLessThan(10);
});

const failed = (exitCode?: number) => ran({ state: "failed", ...(exitCode === undefined ? {} : { exitCode }) });

describe("the exit code", () => {
  test("is 0 for a success, whatever came before it", () => {
    expect(exitCodeOf(aJob({ state: "succeeded", indexes: [index("succeeded", [failed(7), ran({ attempt: 2 })])] }))).toBe(0);
  });

  test("is the task's own for a failure", () => {
    expect(exitCodeOf(aJob({ state: "failed", indexes: [index("failed", [failed(7), failed(9)])] }))).toBe(9);
  });

  test("is that of an array's first failing index", () => {
    const indexes = [
      index("succeeded", [ran({})]),
      index("cancelled", [], 1),
      index("failed", [failed(4)], 2),
      index("failed", [failed(5)], 3),
    ];
    expect(exitCodeOf(aJob({ state: "failed", indexes }))).toBe(4);
  });

  test("does not exist for what was lost or cancelled", () => {
    expect(exitCodeOf(aJob({ state: "failed", indexes: [index("failed", [ran({ state: "lost" })])] }))).toBeUndefined();
    expect(
      exitCodeOf(aJob({ state: "cancelled", indexes: [index("cancelled", [ran({ state: "cancelled", exitCode: 143 })])] })),
    ).toBeUndefined();
  });
});
