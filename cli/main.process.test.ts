import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import type { Attempt, JobDetail } from "../agent/contract/workload.ts";
import { runLine } from "./dispatch.ts";
import {
  aJob,
  type FakeHandler,
  type FakeMaster,
  logLineOf,
  send,
  sendError,
  sendLines,
  startFakeMaster,
  viewOf,
} from "./testing/fake-master.ts";
import { verbs } from "./verbs.ts";

const main = join(import.meta.dirname, "main.ts");
let master: FakeMaster;
let cache: string;
let state: string;
const children = new Set<ChildProcess>();

beforeAll(async () => {
  cache = mkdtempSync(join(tmpdir(), "spillway-cli-cache-"));
  master = await startFakeMaster(() => undefined);
});
afterAll(async () => {
  rmSync(cache, { recursive: true });
  await master.stop();
});
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "spillway-cli-"));
  mkdirSync(join(state, "local"));
  const context = { environment: "local", environmentId: "id-1", url: master.url, ca: master.ca, token: "very-secret" };
  writeFileSync(join(state, "local", "context.json"), JSON.stringify(context), { mode: 0o600 });
});
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
  rmSync(state, { recursive: true });
});

function start({ flags = [] }: { readonly flags?: readonly string[] }, ...words: string[]) {
  const child = spawn(process.execPath, [...flags, main, ...words], {
    env: {
      PATH: process.env.PATH,
      HOME: state,
      SPILLWAY_STATE_DIR: state,
      SPILLWAY_CACHE: cache,
      NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.add(child);
  const out = text(child.stdout);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => {
    stderr += chunk;
  });
  const ended = once(child, "close").then(async ([code]) => ({ code: Number(code), stdout: await out, stderr }));
  return { child, ended };
}

const asProcess = (...words: string[]) => start({}, ...words).ended;

/** The same within this process: what does not need signals or exact bytes costs no start. */
async function run(...words: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  vi.stubEnv("SPILLWAY_STATE_DIR", state);
  vi.stubEnv("SPILLWAY_ENV", undefined);
  const written = { stdout: "", stderr: "" };
  const spies = (["stdout", "stderr"] as const).map((name) =>
    vi.spyOn(process[name], "write").mockImplementation((chunk) => {
      written[name] += typeof chunk === "string" ? chunk : Buffer.from(chunk).toString();
      return true;
    }),
  );
  process.exitCode = undefined;
  try {
    const code = await runLine(verbs, words);
    return { code, ...written };
  } finally {
    process.exitCode = undefined;
    for (const spy of spies) spy.mockRestore();
    vi.unstubAllEnvs();
  }
}

const named = z.object({ name: z.string() });
const indexStates = { pending: "pending", running: "active", succeeded: "succeeded", failed: "failed", cancelled: "cancelled" } as const;
const ran = (overrides: Partial<Attempt> = {}): Attempt => ({
  attempt: 1,
  taskId: "j1.0.1",
  node: "m1",
  state: "succeeded",
  assignedAt: 1,
  startedAt: 2,
  finishedAt: 3,
  ...overrides,
});
const jobWith = (jobState: JobDetail["state"], attempt: Attempt, id: string): JobDetail =>
  aJob({
    id,
    state: jobState,
    indexes: [{ index: 0, state: indexStates[jobState], attempts: [attempt] }],
  });

/** A master with one job, whatever its name: submitted, then as `detail` says, with `log` as its output. */
function oneJob(detail: (id: string) => JobDetail, log: readonly unknown[] = [], more?: FakeHandler): FakeHandler {
  return (request, response) => {
    const id = request.path.split("/")[3] ?? "";
    const answer = more?.(request, response);
    if (answer !== undefined || response.writableEnded) return answer;
    if (request.method === "POST" && request.path === "/v1/jobs") {
      const { name } = named.parse(request.body);
      return send(response, 201, viewOf(aJob({ id: name, state: "pending" })));
    }
    if (request.path.endsWith("/logs")) {
      sendLines(response, log);
      if (log.some((line) => JSON.stringify(line).includes('"end"'))) response.end();
      return undefined;
    }
    return detail(id);
  };
}

describe("the command line", () => {
  test("help lists the verbs, the exit codes and examples", async () => {
    const { code, stdout } = await asProcess("--help");
    expect(code).toBe(0);
    for (const part of ["pool", "run", "Exit codes:", "Examples:", "SPILLWAY_ENV"]) expect(stdout).toContain(part);
  });

  test.each([
    [["pol"], 2, "Did you mean pool?"],
    [["run", "--cpuu", "1", "--", "true"], 2, "Did you mean --cpu?"],
    [["run", "--cpu", "much", "--", "true"], 2, '--cpu: "much" is not a cpu quantity'],
    [["run", "--name", "No Good", "--", "true"], 2, "--name: use lower-case letters"],
    [["run", "--count", "0", "--", "true"], 2, "--count"],
    [["run", "-e", "novalue", "--", "true"], 2, "KEY=VALUE"],
    [["run"], 2, "missing required argument"],
    [["--env", "prod", "destroy", "local"], 2, "two environments were given, --env prod and local"],
    [["burst", "list"], 2, '"spillway burst" is not available in this version'],
    [["nodes", "drain", "m1"], 2, '"spillway nodes drain" is not available in this version'],
    [["pool", "--env", "prod"], 1, 'there is no environment "prod" here (there is local)'],
    [["jobs", "submit", "--trace", "/nowhere"], 1, "there is no file /nowhere"],
  ])("spillway %j ends with %i and a sentence", async (words, expected, sentence) => {
    const { code, stdout, stderr } = await run(...words);
    expect(stderr).toContain(sentence);
    expect(stderr).not.toContain("    at ");
    expect(stdout).toBe("");
    expect(code).toBe(expected);
  });

  test("--version is one line", async () => {
    const { stdout } = await run("--version");
    expect(stdout).toMatch(/^spillway \d+\.\d+\.\d+\n$/);
  });

  test("a verb that needs no Pulumi and no SSH loads neither", async () => {
    const telling =
      "import{registerHooks}from'node:module';registerHooks({load(url,c,next){if(/@pulumi|ssh2|\\/stacks\\/(?!state-layout)/.test(url))console.log(url);return next(url,c)}})";
    const { code, stdout, stderr } = await start(
      { flags: ["--import", `data:text/javascript,${telling}`] },
      "run",
      "--cpu",
      "x",
      "--",
      "true",
    ).ended;
    expect(stderr).toContain("--cpu");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
  });
});

describe("login", () => {
  test("never prints the token unless asked to", async () => {
    const { stdout, stderr } = await run("login");
    expect(stdout).toContain(master.url);
    expect(stdout + stderr).not.toContain("very-secret");
    expect((await run("login", "--output", "json")).stdout).not.toContain("very-secret");
    expect((await run("login", "--show-token")).stdout).toBe("very-secret\n");
    expect(JSON.parse((await run("login", "--show-token", "--output", "json")).stdout)).toMatchObject({ token: "very-secret" });
  });
});

const resources = (cpu: number, memory: number) => ({ cpu, memory, disk: 0, gpus: [] });

describe("pool and explain", () => {
  const total = {
    nodes: 3,
    nodesByState: { ready: 2, lost: 1 },
    capacity: resources(6000, 12_288),
    used: resources(1500, 1024),
    hourly: 0,
  };
  const view = {
    environment: "local",
    environmentId: "id-1",
    closing: false,
    rows: [{ pool: "laptop", where: "local", ...total }],
    total,
    jobs: { pending: 1, running: 2, finished: 0 },
    pendingTasks: 1,
  };

  test("the pool is one table, with what waits", async () => {
    master.answer(() => view);
    const { code, stdout } = await run("pool");
    expect(code).toBe(0);
    expect(stdout).toContain("laptop (local)");
    expect(stdout).toContain("1.5 / 6");
    expect(stdout).toContain("3 (1 lost)");
    expect(stdout).toContain("1 task waiting for room");
    expect(master.requests.at(-1)?.token).toBe("very-secret");
  });

  test("a master that is away is told with what mends it", async () => {
    await master.stop();
    const { code, stderr } = await run("pool");
    await master.start();
    expect(code).toBe(1);
    expect(stderr).toContain("`./spillway up local` mends it.");
  });

  test("JSON stands on stdout alone", async () => {
    master.answer(() => view);
    expect(JSON.parse((await run("pool", "--output", "json")).stdout)).toEqual(view);
    expect(JSON.parse((await run("--output", "json", "pool")).stdout)).toEqual(view);
  });

  test("a bare name is explained as what it is", async () => {
    master.answer(({ path, query }, response) => {
      if (path === "/v1/nodes") return { nodes: [] };
      if (path === "/v1/jobs/train") return aJob({ id: "train", state: "pending" });
      if (path.startsWith("/v1/jobs/")) return sendError(response, 404, "not-found", "no");
      return { subject: query.get("subject"), summary: "it waits", rejected: [{ reason: "too little memory", nodes: ["m1"] }], events: [] };
    });
    const found = await run("explain", "train");
    expect(found.stdout).toContain("it waits");
    expect(found.stdout).toContain("too little memory");
    const missing = await run("explain", "nothing");
    expect(missing).toMatchObject({ code: 1, stderr: expect.stringContaining('no job and no node "nothing"') });
  });
});

describe("run", () => {
  test("prints what the task prints, byte for byte, and ends with its code", async () => {
    const bytes = Buffer.from([0, 255, 10, 13, 128]);
    const log = [
      { channel: "stdout", data: bytes.toString("base64") },
      logLineOf("stdout", "hi\n"),
      logLineOf("stderr", "oh\n"),
      { end: true },
    ];
    master.answer(oneJob((id) => jobWith("failed", ran({ state: "failed", exitCode: 3 }), id), log));
    const child = spawn(process.execPath, [main, "run", "--cpu", "1", "--", "sh", "-c", "echo hi; exit 3"], {
      env: {
        PATH: process.env.PATH,
        HOME: state,
        SPILLWAY_STATE_DIR: state,
        SPILLWAY_CACHE: cache,
        NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE,
      },
    });
    children.add(child);
    const chunks: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => chunks.push(chunk));
    const err = text(child.stderr);
    const [code] = await once(child, "close");
    expect(code).toBe(3);
    expect(Buffer.concat(chunks)).toEqual(Buffer.concat([bytes, Buffer.from("hi\n")]));
    expect(await err).toContain("oh\n");
    const submitted = master.requests.findLast((request) => request.method === "POST");
    expect(submitted?.body).toMatchObject({
      name: expect.stringMatching(/^sh-[0-9a-f]{6}$/),
      command: ["sh", "-c", "echo hi; exit 3"],
      resources: { cpu: 1000, memory: 256 },
    });
  });

  test("options after the command belong to the command", async () => {
    master.answer(oneJob((id) => jobWith("succeeded", ran({ exitCode: 0 }), id), [{ end: true }]));
    const { code } = await run("run", "-e", "A=b=c", "ls", "--env", "x", "-o", "json", "--", "--cpu");
    expect(code).toBe(0);
    const submitted = master.requests.findLast((request) => request.method === "POST");
    expect(submitted?.body).toMatchObject({ env: { A: "b=c" } });
    expect(submitted?.body).toMatchObject({ command: expect.arrayContaining(["ls", "--env", "x", "-o", "json", "--cpu"]) });
  });

  test("says within moments what it waits for, and why it is pending", async () => {
    master.answer(
      oneJob((id) =>
        aJob({ id, state: "pending", indexes: [{ index: 0, state: "pending", pendingReason: "2 cpu are free, 4 wanted", attempts: [] }] }),
      ),
    );
    const { child, ended } = start({}, "run", "--", "true");
    let said = "";
    child.stderr?.on("data", (chunk: string) => {
      said += chunk;
    });
    await expect.poll(() => said, { timeout: 5_000 }).toContain("waiting for a node");
    child.kill("SIGTERM");
    expect(await ended).toMatchObject({ code: 143, stderr: expect.stringContaining("goes on without you") });
  });

  test("SIGINT without a terminal cancels the job and waits for its end", async () => {
    let cancelled = false;
    master.answer(
      oneJob(
        (id) => (cancelled ? jobWith("cancelled", ran({ state: "cancelled" }), id) : jobWith("running", ran({ state: "running" }), id)),
        [logLineOf("stdout", "working\n"), { end: true }],
        ({ path }) => {
          if (!path.endsWith("/cancel")) return undefined;
          cancelled = true;
          return viewOf(aJob({ state: "running" }));
        },
      ),
    );
    const { child, ended } = start({}, "run", "--", "sleep", "100");
    await once(child.stdout, "data");
    child.kill("SIGINT");
    expect(await ended).toMatchObject({ code: 130, stderr: expect.stringContaining("is cancelled") });
  });

  test("a job that can never fit is refused with the master's sentence", async () => {
    master.answer((_, response) => sendError(response, 422, "never-fits", "no node has 64 cpu", "The biggest has 2."));
    const { code, stderr } = await run("run", "--cpu", "64", "--", "true");
    expect(code).toBe(125);
    expect(stderr).toBe("no node has 64 cpu\n  The biggest has 2.\n");
  });

  test("--detach prints the job's name and nothing else", async () => {
    master.answer(oneJob((id) => aJob({ id, state: "pending" })));
    expect(await run("run", "--detach", "--name", "later", "--", "true")).toEqual({ code: 0, stdout: "later\n", stderr: "" });
  });

  test("a master that restarts is waited for", async () => {
    master.answer(oneJob((id) => jobWith("succeeded", ran({ exitCode: 0 }), id), [{ end: true }]));
    await master.stop();
    const { child, ended } = start({}, "run", "--", "true");
    await new Promise<void>((told) => child.stderr.on("data", (chunk: string) => chunk.includes("trying again") && told()));
    await master.start();
    expect(await ended).toMatchObject({ code: 0, stderr: expect.stringContaining("The master answers again.") });
  });
});

const node = (name: string) => ({
  name,
  state: "ready",
  stateReason: "",
  stateSince: 0,
  declaration: { pool: "laptop", provider: "local", providerId: name },
  capacity: { cpu: 2000, memory: 4096, disk: 0, gpus: [] },
  used: { cpu: 0, memory: 0, disk: 0, gpus: [] },
  tasks: 0,
});

const detail = (id: string): JobDetail => jobWith("succeeded", ran({ node: id.endsWith("1") ? "m1" : "m2" }), id);

test("logs for programs are JSON lines with each piece's channel and bytes", async () => {
  master.answer(oneJob(detail, [logLineOf("stdout", "hi\n"), logLineOf("stderr", "oh\n"), { end: true }]));
  const { stdout, stderr } = await run("logs", "j1", "--output", "json");
  expect(
    stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
  ).toEqual([logLineOf("stdout", "hi\n"), logLineOf("stderr", "oh\n")]);
  expect(stderr).toBe("");
});

describe("jobs submit --trace", () => {
  test("prints the conversion, runs each job once, and adds up what ran where", async () => {
    const trace = join(state, "two.tsv");
    writeFileSync(trace, "job0\t0\t0\t100\t0\t5\njob1\t9\t9\t99999999\t5\t5\n");
    const submitted: string[] = [];
    master.answer(({ method, path, body }, response) => {
      if (path === "/v1/nodes") return { nodes: [node("m1"), node("m2")] };
      if (method === "GET" && path === "/v1/jobs") return { jobs: submitted.map((id) => viewOf(detail(id))) };
      if (method === "GET") return detail(path.split("/")[3] ?? "");
      const { name } = named.parse(body);
      submitted.push(name);
      return send(response, 201, viewOf(aJob({ id: name, state: "pending" })));
    });
    const { code, stdout } = await run("jobs", "submit", "--trace", trace, "--time-scale", "0.1");
    expect(code).toBe(0);
    expect(submitted.toSorted()).toEqual(["two-0001", "two-0002"]);
    for (const part of [
      "duration  = (50 ms",
      "× 0.1",
      "cost      $0.00",
      "submitted 2 jobs",
      "2 of 2 jobs succeeded",
      "exactly one recorded success",
    ])
      expect(stdout).toContain(part);
    expect(stdout).toMatch(/m1 +1 +50 %/);
  });

  test("a malformed line is told before anything is submitted", async () => {
    const trace = join(state, "bad.tsv");
    writeFileSync(trace, "job0\t0\t0\t100\t0\t5\njob1\toops\n");
    master.answer(() => expect.unreachable());
    const before = master.requests.length;
    const { code, stderr } = await run("jobs", "submit", "--trace", trace);
    expect(code).toBe(1);
    expect(stderr).toContain(`${trace}:2: malformed trace line`);
    expect(master.requests.length).toBe(before);
  });
});
