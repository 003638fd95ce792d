import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Machine } from "../agent/contract/machine.ts";
import { type BootstrapContext, nothingToInstall } from "./context.ts";
import { connect } from "./phases/connect.ts";
import { facts } from "./phases/facts.ts";
import { type SshHost, sshHost } from "./ssh/testing/ssh-host.ts";

/** As sudo does it with -S: a password of one line from its input, three tries, the rest of the input left to the command. */
const sudo = `#!/bin/sh
here=$(dirname "$0")
printf '%s\\n' "$*" >> "$here/argv"
while [ "$1" != -- ] && [ "$1" != true ]; do if [ "$1" = -n ]; then quiet=yes; fi; if [ "$1" = -p ]; then shift; fi; shift; done
if [ "$1" = -- ]; then shift; fi
if [ ! -e "$here/no-password-wanted" ]; then
  if [ -n "$quiet" ]; then echo 'sudo: a password is required' >&2; exit 1; fi
  tries=0
  until IFS= read -r word && [ "$word" = 'right one' ]; do
    if [ -z "$word" ]; then echo 'sudo: no password was provided' >&2; exit 1; fi
    printf x >> "$here/wrong"; tries=$((tries + 1)); word=
    echo 'Sorry, try again.' >&2
    if [ $tries = 3 ]; then echo 'sudo: 3 incorrect password attempts' >&2; exit 1; fi
  done
fi
exec "$@"
`;

let directory: string;
let host: SshHost;
const contexts: BootstrapContext[] = [];

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "spillway-sudo-"));
  writeFileSync(join(directory, "sudo"), sudo, { mode: 0o755 });
  host = await sshHost({ environment: { PATH: `${directory}:${process.env.PATH}` } });
  vi.stubEnv("OPS_PASSWORD", "right one");
});
afterEach(async () => {
  for (const { session } of contexts.splice(0)) session?.close();
  await host.stop();
  rmSync(directory, { recursive: true });
  vi.unstubAllEnvs();
});

async function loggedIn(over: Partial<Machine> = {}): Promise<BootstrapContext> {
  const machine: Machine = { ...host.machine, sudoPassword: { kind: "env", name: "OPS_PASSWORD" }, ...over };
  const context: BootstrapContext = { request: { machine, role: "agent", ...nothingToInstall }, restartNeeded: false };
  contexts.push(context);
  await connect.run(context);
  await facts.run(context);
  return context;
}

const wrongTries = () => (existsSync(join(directory, "wrong")) ? readFileSync(join(directory, "wrong"), "utf8").length : 0);

it.each([
  ["asks for it each time", () => undefined],
  ["asks for none", () => writeFileSync(join(directory, "no-password-wanted"), "")],
])("a command has its own input to the byte where sudo %s", async (_what, prepare) => {
  prepare();
  const { remote, facts: found } = await loggedIn();
  expect(found?.rights).toBe("sudo-password");
  expect(await remote?.read(["cat"], { stdin: "right one\nin\n" })).toMatchObject({ code: 0, stdout: "right one\nin\n", stderr: "" });
  expect(await remote?.read(["cat"])).toMatchObject({ code: 0, stdout: "" });
  const bytes = Buffer.from(Array.from({ length: 300_000 }, (_unused, index) => index % 256));
  const stdin = Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)]);
  expect(await remote?.change("remote.install", "count", ["sh", "-c", "sha256sum | cut -c1-64; exit 0"], { stdin })).toMatch(
    /^[0-9a-f]{64}\n$/,
  );
  expect(await remote?.change("remote.install", "count", ["wc", "-c"], { stdin: bytes })).toMatch(/^\s*300000\n$/);
  expect(wrongTries()).toBe(0);
});

it("the password stands in no command line and in nothing that is told", async () => {
  const { remote } = await loggedIn();
  await remote?.change("remote.install", "do something", ["true"]);
  expect(readFileSync(join(directory, "argv"), "utf8")).not.toContain("right one");
  expect(JSON.stringify(remote?.sentences)).not.toContain("right one");
});

it("a wrong password is one clear error and one try, however often it is wanted", async () => {
  vi.stubEnv("OPS_PASSWORD", "wrong one");
  const attempt = loggedIn();
  await expect(attempt).rejects.toMatchObject({
    code: "sudo-refused",
    message: expect.stringContaining(
      "sudo refuses its user ops with the password that sudoPassword names: Sorry, try again. · sudo: no password",
    ),
  });
  await expect(attempt).rejects.not.toMatchObject({ message: expect.stringContaining("wrong one") });
  await expect(loggedIn()).rejects.toMatchObject({ code: "sudo-refused" });
  expect(wrongTries()).toBe(1);
  vi.stubEnv("OPS_PASSWORD", "right one");
  expect((await loggedIn()).facts?.rights).toBe("sudo-password");
});

it("a user who is root is not asked for one", async () => {
  await loggedIn({ user: "root" });
  const ran = existsSync(join(directory, "argv")) ? readFileSync(join(directory, "argv"), "utf8") : "";
  expect(ran).not.toContain("-S");
});

it("a password that is nowhere is told before anything is sent", async () => {
  await expect(loggedIn({ sudoPassword: { kind: "env", name: "NOT_SET_ANYWHERE" } })).rejects.toMatchObject({ code: "secret-missing" });
});
