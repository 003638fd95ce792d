/** What a person does with single machines: look at one, run something on it, and be told what can't be done. */
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Checkout, makeCheckout } from "../support/checkout.ts";

let checkout: Checkout;
beforeAll(async () => {
  checkout = makeCheckout();
  const { code, stderr } = await checkout.spillway(["up", "local"]);
  if (code !== 0) throw new Error(stderr);
});
afterAll(() => checkout.remove());

it("runs a command on a machine with its own streams and exit code", async () => {
  const outcome = await checkout.spillway(["nodes", "shell", "m-2", "--", "sh", "-c", "cat; echo problem >&2; exit 7"], { input: "in\n" });
  expect(outcome).toMatchObject({ code: 7, stdout: "in\n" });
  expect(outcome.stderr).toMatch(/problem\n$/);
});

it("says what a machine on this computer has not", async () => {
  const shell = await checkout.spillway(["nodes", "shell", "m-2"]);
  expect(shell).toMatchObject({ code: 2, stdout: "" });
  expect(shell.stderr).toContain("spillway nodes shell m-2 -- COMMAND");
  const trust = await checkout.spillway(["nodes", "trust", "m-2"]);
  expect(trust).toMatchObject({ code: 1, stdout: "" });
  expect(trust.stderr).toContain("there is nothing to trust");
  const unknown = await checkout.spillway(["nodes", "shell", "m-22", "--", "true"]);
  expect(unknown).toMatchObject({ code: 125, stderr: expect.stringContaining("Did you mean m-2?") });
});

it("looks at a machine as up would, and changes nothing", async () => {
  const { code, stdout } = await checkout.spillway(["doctor", "m-2"]);
  expect(stdout).toMatch(/^machine m-2 \(127\.0\.0\.1:\d+\)\n {2}✓ SSH/);
  expect(stdout).toContain("Nothing is wrong.");
  expect(code).toBe(0);
});

it("looks at this computer and its environments, and says what to mend", async () => {
  const well = await checkout.spillway(["doctor", "--output", "json"]);
  const told = JSON.parse(well.stdout);
  expect(told).toMatchObject({ ok: true });
  // Those to start from, dev and prod, are looked at too.
  const titles = told.sections.map(({ title }: { title: string }) => title);
  expect(titles).toEqual(["this computer", "environment dev", "environment local", "environment prod"]);
  expect(well.code).toBe(0);
  const context = join(checkout.state, "context.json");
  chmodSync(context, 0o644);
  const { code, stdout } = await checkout.spillway(["doctor", "--env", "local"]);
  chmodSync(context, 0o600);
  expect(stdout).toContain(`chmod go= ${context}`);
  expect(stdout).toContain("1 thing to mend.");
  expect(code).toBe(1);
});
