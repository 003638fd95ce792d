import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { commandLine } from "./shell.ts";
import { endFormerTunnel, noteTunnel } from "./tunnel.ts";

let home: string;
let server: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "spillway-tunnel-"));
  // A shell by the name of an SSH server's session: what it starts runs under it as commands do under the real one.
  server = join(home, "sshd-session");
  copyFileSync("/bin/sh", server);
});
afterEach(() => rmSync(home, { recursive: true }));

/** A session that runs these commands, and stays until it is ended when it is told to. */
function session(command: readonly string[], stays: boolean): ReturnType<typeof spawn> {
  const line = `${commandLine(command)}\n${stays ? "echo noted; while :; do sleep 0.05; done" : "true"}`;
  return spawn(server, ["-c", line], { env: { ...process.env, HOME: home }, stdio: ["ignore", "pipe", "inherit"] });
}

async function printed(command: readonly string[]): Promise<string> {
  const child = session(command, false);
  let text = "";
  child.stdout?.on("data", (chunk) => {
    text += chunk;
  });
  await once(child, "close");
  return text.trim();
}

const note = () => join(home, readdirSync(home).find((name) => name.startsWith(".spillway-tunnel-")) ?? "none");
const notARealTest = process.platform !== "linux";

it.skipIf(notARealTest)("ends the session that the same holder has noted, and no other's", async () => {
  const former = session(noteTunnel("here"), true);
  await once(former.stdout as NodeJS.ReadableStream, "data");
  expect(await printed(endFormerTunnel("another"))).toBe("");
  const ended = once(former, "close");
  expect(await printed(endFormerTunnel("here"))).toBe("ended");
  expect((await ended)[1]).toBe("SIGTERM");
  expect(await printed(endFormerTunnel("here"))).toBe("");
});

it.skipIf(notARealTest)("leaves alone a process that has only the number of the one that was noted", async () => {
  const former = session(noteTunnel("here"), true);
  await once(former.stdout as NodeJS.ReadableStream, "data");
  const [pid, begun] = readFileSync(note(), "utf8").trim().split(" ");
  expect(Number(pid)).toBe(former.pid);
  writeFileSync(note(), `${pid} ${Number(begun) - 1}\n`);
  expect(await printed(endFormerTunnel("here"))).toBe("");
  writeFileSync(note(), `${process.pid} ${begun}\n`);
  expect(await printed(endFormerTunnel("here"))).toBe("");
  expect(former.exitCode).toBeNull();
  former.kill("SIGKILL");
  await once(former, "close");
});

it("notes nothing where it runs under no SSH server, and finds nothing then", () => {
  const run = ([program = "", ...words]: readonly string[]) =>
    execFileSync(program, words, { env: { ...process.env, HOME: home }, encoding: "utf8" });
  run(noteTunnel("here"));
  expect(readdirSync(home)).toEqual(["sshd-session"]);
  expect(run(endFormerTunnel("here"))).toBe("");
});
