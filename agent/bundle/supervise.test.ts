/** The supervisor of a role, under each shell that is called `sh` somewhere. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { until } from "../node/testing/until.ts";

vi.setConfig({ testTimeout: 30_000 });

const script = join(import.meta.dirname, "supervise.sh");

describe.each(["/bin/dash", "/bin/bash", "/bin/busybox"].filter(existsSync))("under %s", (shell) => {
  let state: string;
  let started: ChildProcess[];
  let told: string;

  beforeEach(() => {
    state = mkdtempSync(join(tmpdir(), "spillway-supervise-"));
    started = [];
    told = "";
  });
  afterEach(async () => {
    for (const child of started) {
      child.kill("SIGTERM");
      await ended(child);
    }
    const left = pidIn("role.pid");
    if (isAlive(left)) process.kill(left, "SIGKILL");
    rmSync(state, { recursive: true, force: true });
  });

  function supervise(...command: string[]): ChildProcess {
    return superviseWith({}, ...command);
  }

  function superviseWith(env: Record<string, string>, ...command: string[]): ChildProcess {
    const args = [...(shell.endsWith("busybox") ? ["sh"] : []), script, state, "--", ...command];
    const child = spawn(shell, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on("data", (data: Buffer) => {
        told += data.toString();
      });
    }
    started.push(child);
    return child;
  }

  async function ended(child: ChildProcess): Promise<number | null> {
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    return child.exitCode;
  }

  const read = (name: string) => (existsSync(join(state, name)) ? readFileSync(join(state, name), "utf8") : "");
  const pidIn = (name: string) => Number(read(name));

  function isAlive(pid: number): boolean {
    if (!Number.isInteger(pid) || pid <= 0) return false;
    try {
      process.kill(pid, 0);
      return !readFileSync(`/proc/${pid}/stat`, "utf8").includes(") Z");
    } catch {
      return false;
    }
  }

  const counting = (then: string) => ["sh", "-c", `echo x >>"${state}/runs"; ${then}`];
  const runs = () => read("runs").length / 2;

  test("a role that exits with 0 is done, and no pid file is left", async () => {
    expect(await ended(supervise(...counting("exit 0")))).toBe(0);
    expect(runs()).toBe(1);
    expect([read("supervisor.pid"), read("role.pid")]).toEqual(["", ""]);
  });

  test("a killed role comes back, with a pid of its own", async () => {
    supervise(...counting("exec sleep 300"));
    await until("the role runs", () => runs() === 1 && isAlive(pidIn("role.pid")));
    const first = pidIn("role.pid");
    process.kill(first, "SIGKILL");
    await until("another runs", () => runs() === 2 && pidIn("role.pid") !== first && isAlive(pidIn("role.pid")));
  });

  test("TERM ends the role first, waits for it, and exits with 0", async () => {
    const child = supervise(...counting(`trap 'sleep 0.2; echo bye >"${state}/bye"; exit 143' TERM; while :; do sleep 0.02; done`));
    await until("the role runs", () => runs() === 1);
    const role = pidIn("role.pid");
    child.kill("SIGTERM");
    expect(await ended(child)).toBe(0);
    expect(read("bye")).toBe("bye\n");
    expect(isAlive(role)).toBe(false);
    expect([read("supervisor.pid"), read("role.pid")]).toEqual(["", ""]);
  });

  test("a role that fails, or that somebody else ends with TERM, is started again, each time a little later; TERM during a pause ends it at once", async () => {
    const child = supervise(...counting("exit 143"));
    await until("the longer pauses have come", () => told.includes("again in 1.6 s"));
    const before = Date.now();
    child.kill("SIGTERM");
    expect(await ended(child)).toBe(0);
    expect(Date.now() - before).toBeLessThan(1500);
    expect(runs()).toBe(4);
    const messages = told
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { message: string }).message);
    expect(messages).toEqual([0.2, 0.4, 0.8, 1.6].map((pause) => `the role exited with 143; starting it again in ${pause} s`));
  });

  test("a second supervisor of the same directory says so and leaves the first alone", async () => {
    supervise(...counting("exec sleep 300"));
    await until("the role runs", () => runs() === 1);
    expect(await ended(supervise(...counting("exec sleep 300")))).toBe(0);
    expect(told).toContain("already running");
    expect(runs()).toBe(1);
  });

  test("a pid file whose process is somebody else is no supervisor", async () => {
    writeFileSync(join(state, "supervisor.pid"), `${process.pid}\n`);
    writeFileSync(join(state, "role.pid"), `${process.pid}\n`);
    expect(await ended(supervise(...counting("exit 0")))).toBe(0);
    expect(runs()).toBe(1);
  });

  test("a role that a killed supervisor left behind is ended before a new one starts", async () => {
    const killed = supervise(...counting("exec sleep 300"));
    await until("the role runs", () => runs() === 1 && isAlive(pidIn("role.pid")));
    const left = pidIn("role.pid");
    killed.kill("SIGKILL");
    await ended(killed);
    expect(isAlive(left)).toBe(true);
    supervise(...counting("exec sleep 300"));
    await until("a new one runs", () => runs() === 2);
    expect(isAlive(left)).toBe(false);
  });

  test("when its directory is removed the next restart does not happen", async () => {
    const child = supervise(...counting("sleep 0.3; exit 1"));
    await until("the role runs", () => runs() === 1);
    rmSync(state, { recursive: true });
    expect(await ended(child)).toBe(0);
  });

  test("the log of a role that fails again and again is kept below its bound, with one older part", async () => {
    const log = join(state, "role.log");
    const size = (file: string) => (existsSync(file) ? statSync(file).size : 0);
    const bounds = { SPILLWAY_ROLE_LOG: log, SPILLWAY_ROLE_LOG_BYTES: "1000" };
    superviseWith(bounds, ...counting(`head -c 1500 /dev/zero >>"${log}"; exit 1`));
    await until("it was kept and begun anew twice", () => runs() >= 3);
    expect([size(`${log}.1`), size(log) <= 1500]).toEqual([1500, true]);
  });

  test("wrong usage is told with 2", async () => {
    const child = spawn(shell.endsWith("busybox") ? "/bin/dash" : shell, [script, state], { stdio: "ignore" });
    started.push(child);
    expect(await ended(child)).toBe(2);
  });
});
