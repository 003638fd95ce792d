/** The script under each shell that is called `sh` somewhere. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { until } from "../node/testing/until.ts";

const script = join(import.meta.dirname, "task-supervisor.sh");

test("it is small enough to be read at a glance", () => {
  expect(readFileSync(script, "utf8").trimEnd().split("\n").length).toBeLessThanOrEqual(40);
});

describe.each(["/bin/sh", "/bin/dash", "/bin/bash", "/bin/ksh", "/bin/busybox"].filter(existsSync))("under %s", (shell) => {
  let directory: string;
  let started: ChildProcess[];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "spillway-task-"));
    mkdirSync(join(directory, "work"));
    started = [];
  });
  afterEach(() => {
    for (const { pid } of started) killGroup(pid);
    rmSync(directory, { recursive: true, force: true });
  });

  function killGroup(pid: number | undefined): void {
    try {
      if (pid !== undefined) process.kill(-pid, "SIGKILL");
    } catch {
      // It ended by itself.
    }
  }

  function supervise(...command: string[]): ChildProcess {
    const args = [...(shell.endsWith("busybox") ? ["sh"] : []), script, directory, ...command];
    const child = spawn(shell, args, { cwd: join(directory, "work"), detached: true, stdio: "ignore" });
    started.push(child);
    return child;
  }

  async function ended(child: ChildProcess): Promise<void> {
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  }

  const read = (name: string) => (existsSync(join(directory, name)) ? readFileSync(join(directory, name), "utf8") : undefined);

  test.each([
    [["sh", "-c", "exit 7"], "7\n"],
    [["sh", "-c", "kill -9 $$"], "137\n"],
    [["sh", "-c", "kill -2 $$"], "130\n"],
    [["no-such-command"], "127\n"],
    [["/"], "126\n"],
    [["true"], "0\n"],
  ])("the result of %j is %j", async (command, result) => {
    await ended(supervise(...command));
    expect(read("result")).toBe(result);
  });

  test("TERM goes to the command, whose own exit code is the result", async () => {
    const child = supervise("sh", "-c", "trap 'echo bye; sleep 0.1; exit 9' TERM; echo ready; while :; do sleep 0.02; done");
    await until("the command is ready", () => read("stdout.log") === "ready\n");
    process.kill(-(child.pid as number), "SIGTERM");
    await ended(child);
    expect(read("result")).toBe("9\n");
    expect(read("stdout.log")).toBe("ready\nbye\n");
  });

  test("TERM ends a command that has no handler: the signal is not ignored in it", async () => {
    const child = supervise("sh", "-c", "echo ready; exec sleep 300");
    await until("the command is ready", () => read("stdout.log") === "ready\n");
    process.kill(-(child.pid as number), "SIGTERM");
    await ended(child);
    expect(read("result")).toBe("143\n");
  });

  test("a second one in the same directory does nothing", async () => {
    await ended(supervise("sh", "-c", "echo ran"));
    await ended(supervise("sh", "-c", "echo ran"));
    expect(read("stdout.log")).toBe("ran\n");
  });

  test("its pid is the group's, and what is left of the group ends with the command", async () => {
    const child = supervise("sh", "-c", "sleep 300 & echo $!");
    await ended(child);
    expect(read("started/pid")).toBe(`${child.pid}\n`);
    const left = Number(read("stdout.log"));
    await until("the rest is gone", () => !existsSync(`/proc/${left}`) || readFileSync(`/proc/${left}/stat`, "utf8").includes(") Z"));
  });

  test("it works in a directory whose name holds spaces and quotes", async () => {
    const plain = directory;
    directory = join(plain, 'it\'s a "dir" $HOME');
    mkdirSync(join(directory, "work"), { recursive: true });
    await ended(supervise("true"));
    expect(statSync(join(directory, "result")).size).toBe(2);
    directory = plain;
  });
});
