/** The same job by plain Pulumi, after `eval "$(./spillway env local)"`. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Checkout, makeCheckout, readContext } from "../support/checkout.ts";
import { processesOf } from "../support/leftovers.ts";
import type { CommandOutcome } from "../support/outcome-of.ts";

let checkout: Checkout;

beforeAll(() => {
  checkout = makeCheckout();
});
afterAll(() => {
  checkout.remove();
});

/** Runs the words in a shell as a person would, in the program's folder. */
function pulumi(words: string): Promise<CommandOutcome> {
  const text = `eval "$(./spillway env local 2>/dev/null)" && cd stacks/environment && pulumi ${words} --non-interactive --color never -s local`;
  return checkout.run("sh", ["-c", text]);
}

it("previews and brings the environment up", async () => {
  const preview = await pulumi("preview");
  expect(preview, preview.stdout + preview.stderr).toMatchObject({ code: 0 });
  expect(preview.stdout).toMatch(/\+ 13 to create/);
  const up = await pulumi("up --yes --skip-preview");
  expect(up, up.stdout + up.stderr).toMatchObject({ code: 0 });
  expect(up.stdout).toMatch(/masterUrl\s*: "https:\/\/127\.0\.0\.1:\d+"/);
  expect(await checkout.spillway(["run", "--", "sh", "-c", "exit 4"])).toMatchObject({ code: 4 });
});

it("does not fetch the clouds' plugins and finds nothing to change the second time", async () => {
  const up = await pulumi("up --yes --skip-preview");
  expect(up.stdout).toMatch(/13 unchanged/);
  const plugins = await pulumi("plugin ls --project");
  expect(plugins.stdout).not.toMatch(/\b(aws|azure)/);
});

it("keeps no secret in plain text in the state", async () => {
  const { stdout } = await pulumi("stack export");
  const stack = JSON.parse(stdout) as { deployment: { resources: { type: string }[] } };
  expect(stack.deployment.resources.map((resource) => resource.type)).toContain("spillway:index:PoolGuard");
  const secrets = [readContext(checkout).token, "PRIVATE KEY"];
  for (const secret of secrets) expect(stdout.includes(secret), "a secret stands in the exported stack").toBe(false);
  const stored = readFileSync(join(checkout.state, "backend/.pulumi/stacks/spillway/local.json"), "utf8");
  for (const secret of secrets) expect(stored.includes(secret), "a secret stands in the stored stack").toBe(false);
});

it("keeps no side file in its state that a killed engine could leave half-written", () => {
  const files = readdirSync(join(checkout.state, "backend"), { recursive: true, encoding: "utf8" });
  expect(files).toContain(".pulumi/stacks/spillway/local.json");
  expect(files.filter((file) => file.endsWith(".attrs"))).toEqual([]);
});

it("finds a stopped node by refresh and mends it by up", async () => {
  for (const { pid } of processesOf(join(checkout.state, "machines", "m-3"))) process.kill(pid, "SIGKILL");
  const refresh = await pulumi("refresh --yes --skip-preview");
  expect(refresh.stdout).toMatch(/LocalMachine m-3 .*updated/);
  const up = await pulumi("up --yes --skip-preview");
  expect(up, up.stdout + up.stderr).toMatchObject({ code: 0 });
  expect((await checkout.spillway(["nodes", "list"])).stdout.match(/ready/g)).toHaveLength(3);
});

it("destroys all of it and removes the stack", async () => {
  const destroy = await pulumi("destroy --yes --skip-preview --remove");
  expect(destroy, destroy.stdout + destroy.stderr).toMatchObject({ code: 0 });
  expect(processesOf(checkout.directory)).toEqual([]);
  for (const left of ["machines", "context.json", "backend/.pulumi/stacks/spillway/local.json"]) {
    expect(existsSync(join(checkout.state, left)), left).toBe(false);
  }
  expect(checkout.gitStatus()).toBe("");
});
