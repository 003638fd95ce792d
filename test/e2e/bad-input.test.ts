/** What goes wrong is told in a few words that name the thing and the next step, and nothing half-made is left. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type Checkout, makeCheckout } from "../support/checkout.ts";
import { processesOf } from "../support/leftovers.ts";
import type { CommandOutcome } from "../support/outcome-of.ts";
import { waitUntil } from "../support/wait-until.ts";

let checkout: Checkout;

beforeEach(() => {
  checkout = makeCheckout();
});
afterEach(() => {
  checkout.remove();
});

function settings(text: string): void {
  writeFileSync(join(checkout.directory, "stacks/environment/Pulumi.local.yaml"), text);
}

const oneMachine = "config:\n  spillway:environment:\n    masters: { pool: m }\n    pools:\n      m: { provider: local, count: 1 }\n";

function expectShortError(outcome: CommandOutcome, words: RegExp): void {
  expect(outcome.code, outcome.stderr).not.toBe(0);
  expect(outcome.stderr).toMatch(words);
  expect(outcome.stderr).not.toMatch(/^\s+at .*\(.*:\d+:\d+\)/m);
  expect(outcome.stderr.trim().split("\n").length).toBeLessThanOrEqual(12);
}

it("names the environments there are when one is unknown", async () => {
  expectShortError(
    await checkout.spillway(["up", "no-such-environment"]),
    /no-such-environment.*does not exist[\s\S]*Environments here: local/,
  );
});

it("names field and line of a wrong setting, by ./spillway and by plain Pulumi, before anything is made", async () => {
  settings(oneMachine.replace("count: 1", "cuont: 1"));
  const words = /pools\.m\.cuont: there is no such key\. Did you mean "count"\?  \(line 5\)/;
  expectShortError(await checkout.spillway(["up", "local"]), words);
  expect(existsSync(checkout.state)).toBe(false);
  settings(oneMachine);
  const text =
    'eval "$(./spillway env local)" && sed -i s/count/cuont/ stacks/environment/Pulumi.local.yaml && cd stacks/environment && pulumi up -s local --yes --skip-preview --non-interactive';
  const plain = await checkout.run("sh", ["-c", text]);
  expect(plain.code).not.toBe(0);
  expect(plain.stdout + plain.stderr).toMatch(words);
  expect(existsSync(join(checkout.state, "machines"))).toBe(false);
});

it("refuses a setting whose station is not built yet", async () => {
  settings(`${oneMachine}    roles: { web: { weight: 2 } }\n`);
  expectShortError(await checkout.spillway(["up", "local"]), /roles: not available in this version {2}\(line 6\)/);
});

it("tells a second up who is at work, and lets the first one finish", async () => {
  settings(oneMachine);
  const first = checkout.start(["up", "local"]);
  const locks = join(checkout.state, "backend/.pulumi/locks/organization/spillway/local");
  await waitUntil("the first holds the lock", () => existsSync(locks), 30_000);
  expectShortError(await checkout.spillway(["up", "local"]), /process \d+ is changing this environment right now/);
  expect(await first.outcome).toMatchObject({ code: 0 });
  expect(await checkout.spillway(["destroy", "local", "--yes"])).toMatchObject({ code: 0 });
});

it("names the port that another program has taken, and goes on when it is free", async () => {
  settings(oneMachine);
  expect(await checkout.spillway(["up", "local"])).toMatchObject({ code: 0 });
  const port = Number(/"port": (\d+)/.exec(readFileSync(join(checkout.state, "machines/m-1/machine.json"), "utf8"))?.[1]);
  for (const { pid } of processesOf(checkout.state)) process.kill(pid, "SIGKILL");
  const squatter = createServer();
  await waitUntil(
    "the port is ours",
    () => new Promise((resolve) => squatter.once("error", () => resolve(false)).listen(port, "127.0.0.1", () => resolve(true))),
  );
  const refused = await checkout.spillway(["up", "local"]);
  await new Promise((resolve) => squatter.close(resolve));
  expectShortError(refused, new RegExp(`port ${port} on 127\\.0\\.0\\.1 is in use by another program`));
  expect(await checkout.spillway(["up", "local"])).toMatchObject({ code: 0 });
  expect(await checkout.spillway(["destroy", "local", "--yes"])).toMatchObject({ code: 0 });
  expect(processesOf(checkout.directory)).toEqual([]);
});

it("refuses to give up a live environment: destroy wants to be told without a terminal, --forget wants its name", async () => {
  settings(oneMachine);
  expectShortError(await checkout.spillway(["destroy", "local"]), /without a terminal/);
  expectShortError(await checkout.spillway(["destroy", "local", "--yes", "--forget", "prod"]), /--forget local/);
});

it("says that a machine's disk is too full before anything is put on it", async () => {
  settings(oneMachine);
  const bin = join(checkout.directory, "fake-bin");
  mkdirSync(bin);
  writeFileSync(
    join(bin, "df"),
    "#!/bin/sh\necho Filesystem 1024-blocks Used Available Capacity Mounted\necho /dev/x 1000000 990000 10000 99% /\n",
    { mode: 0o755 },
  );
  const full = await checkout.spillway(["up", "local"], { env: { PATH: `${bin}:${process.env.PATH}` } });
  expectShortError(full, /9 MiB free on its disk, 64 MiB needed/);
  expect(existsSync(join(checkout.state, "machines/m-1/root/opt/spillway"))).toBe(false);
  expect(await checkout.spillway(["destroy", "local", "--yes"])).toMatchObject({ code: 0 });
  expect(processesOf(checkout.directory)).toEqual([]);
});
