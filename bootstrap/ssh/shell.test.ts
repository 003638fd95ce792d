import { PassThrough } from "node:stream";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openShell, runOnMachine } from "./shell.ts";
import { type SshHost, sshHost } from "./testing/ssh-host.ts";

let host: SshHost;
beforeEach(async () => {
  host = await sshHost();
});
afterEach(() => host.stop());

function streams() {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  const said = Promise.all([text(stdout), text(stderr)]);
  return {
    stdin,
    stdout,
    stderr,
    async ended() {
      stdout.end();
      stderr.end();
      return await said;
    },
  };
}

describe("one command on a machine", () => {
  test("has our streams, byte for byte, and hands back its exit code", async () => {
    const { ended, ...own } = streams();
    const running = runOnMachine(host.machine, ["sh", "-c", "cat; echo problem >&2; exit 7"], own);
    own.stdin.end("in\n");
    expect(await running).toBe(7);
    expect(await ended()).toEqual(["in\n", "problem\n"]);
    expect(host.terminal).toEqual([]);
  });

  test("gets exactly the words it was given", async () => {
    const { ended, ...own } = streams();
    expect(await runOnMachine(host.machine, ["printf", "%s|", "a b", "$HOME", "it's"], own)).toBe(0);
    expect(await ended()).toEqual(["a b|$HOME|it's|", ""]);
  });

  test("that a signal ended has its code, as a shell tells it", async () => {
    expect(await runOnMachine(host.machine, ["sh", "-c", "kill -TERM $$"], streams())).toBe(143);
  });

  test("does not wait for our input to end", async () => {
    expect(await runOnMachine(host.machine, ["true"], streams())).toBe(0);
  });

  test("whose connection breaks is an error, not an exit code", async () => {
    const own = streams();
    const running = runOnMachine(host.machine, ["sh", "-c", "echo here; sleep 60"], own);
    own.stdout.once("data", () => host.cut());
    await expect(running).rejects.toMatchObject({ code: "ssh-lost", where: expect.stringContaining("machine h1") });
  });

  test("is not sent to a machine that presents another host key", async () => {
    await host.changeHostKey();
    await expect(runOnMachine(host.machine, ["true"], streams())).rejects.toMatchObject({ code: "host-key-mismatch" });
    expect(host.logins()).toBe(0);
  });
});

test("a shell has a terminal of our size, in raw mode while it lasts, and follows when it changes", async () => {
  const modes: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), { setRawMode: (on: boolean) => modes.push(on) });
  const stdout = Object.assign(new PassThrough(), { columns: 80, rows: 24 });
  const said = text(stdout);
  const shell = openShell(host.machine, { stdin, stdout, kind: "xterm-256color" });
  await expect.poll(() => modes).toEqual([true]);
  Object.assign(stdout, { columns: 100, rows: 30 });
  stdout.emit("resize");
  await expect.poll(() => host.terminal).toEqual(["pty xterm-256color 80x24", "window 100x30"]);
  stdin.write("echo hello; exit 5\n");
  expect(await shell).toBe(5);
  stdout.end();
  expect(await said).toContain("hello");
  expect(modes).toEqual([true, false]);
  expect(stdout.listenerCount("resize")).toBe(0);
});
