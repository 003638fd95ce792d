/** For tests: the command line against a pretend master, with a state directory and a cache of its own; as a process, or within this one. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { afterAll, afterEach, beforeAll, beforeEach, vi } from "vitest";
import { runLine } from "../dispatch.ts";
import { verbs } from "../verbs.ts";
import { type FakeMaster, startFakeMaster } from "./fake-master.ts";

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandProcess {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  /** With the very bytes of stdout beside its text. */
  readonly ended: Promise<Ended & { readonly bytes: Buffer }>;
}

export interface CommandBench {
  /** There from the first `beforeAll` to the end of the file; each test says what it answers. */
  readonly master: FakeMaster;
  /** The state directory of the present test: one environment, `local`. */
  readonly state: string;
  /** Starts `spillway …` as a process; it is ended with the test. */
  start(words: readonly string[], options?: { readonly nodeFlags?: readonly string[] }): CommandProcess;
  /** The same within this process: what does not need signals or exact bytes costs no start. */
  run(...words: string[]): Promise<Ended>;
}

const main = join(import.meta.dirname, "..", "main.ts");

/** Registers the hooks that make and remove what the bench holds. Call it once, at the top of a test file. */
export function commandBench(): CommandBench {
  let master: FakeMaster | undefined;
  let cache = "";
  let state = "";
  const children = new Set<CommandProcess["child"]>();

  beforeAll(async () => {
    cache = mkdtempSync(join(tmpdir(), "spillway-cli-cache-"));
    master = await startFakeMaster(() => undefined);
  });
  afterAll(async () => {
    rmSync(cache, { recursive: true, force: true });
    await master?.stop();
  });
  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), "spillway-cli-"));
    mkdirSync(join(state, "local"));
    const context = { environment: "local", environmentId: "id-1", url: there().url, ca: there().ca, token: "very-secret" };
    writeFileSync(join(state, "local", "context.json"), JSON.stringify(context), { mode: 0o600 });
  });
  afterEach(() => {
    for (const child of children) child.kill("SIGKILL");
    children.clear();
    rmSync(state, { recursive: true, force: true });
  });

  function there(): FakeMaster {
    if (master === undefined) throw new Error("the bench is there from beforeAll on");
    return master;
  }

  function start(words: readonly string[], { nodeFlags = [] }: { readonly nodeFlags?: readonly string[] } = {}): CommandProcess {
    const child = spawn(process.execPath, [...nodeFlags, main, ...words], {
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
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on("data", (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on("data", (chunk: Buffer) => stderr.push(chunk));
    const ended = once(child, "close").then(([code]) => {
      const bytes = Buffer.concat(stdout);
      return { code: Number(code), stdout: bytes.toString(), stderr: Buffer.concat(stderr).toString(), bytes };
    });
    return { child, ended };
  }

  return {
    get master() {
      return there();
    },
    get state() {
      return state;
    },
    start,
    run: (...words) => runHere(state, words),
  };
}

async function runHere(state: string, words: readonly string[]): Promise<Ended> {
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
