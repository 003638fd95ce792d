/** Settings that change under a running environment, and runs that were cut off: the result is what the settings say. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Checkout, makeCheckout } from "../support/checkout.ts";
import { processesOf } from "../support/leftovers.ts";

let checkout: Checkout;

beforeAll(() => {
  checkout = makeCheckout();
});
afterAll(() => {
  checkout.remove();
});

function settings(masters: string, pools: string): void {
  const text = `config:\n  spillway:environment:\n    masters: ${masters}\n    pools: ${pools}\n`;
  const file = join(checkout.directory, "stacks/environment/Pulumi.local.yaml");
  // Pulumi keeps its salt in the same file.
  const salt = existsSync(file) ? /^encryptionsalt:.*$/m.exec(readFileSync(file, "utf8"))?.[0] : undefined;
  writeFileSync(file, `${text}${salt === undefined ? "" : `${salt}\n`}`);
}

async function up(): Promise<string> {
  const outcome = await checkout.spillway(["up", "local"]);
  expect(outcome, outcome.stderr).toMatchObject({ code: 0 });
  return outcome.stdout;
}

it("leaves no admin token behind when an up that was cut off is followed by destroy", async () => {
  settings("{ pool: m }", "{ m: { provider: local, count: 1 } }");
  const env = { SPILLWAY_CRASH_AT: "context.write:after", SPILLWAY_CRASH_MARKER: join(checkout.directory, ".spillway", "crashed") };
  const cut = await checkout.spillway(["up", "local"], { env });
  expect(cut.code).not.toBe(0);
  expect(await checkout.spillway(["destroy", "local", "--yes"])).toMatchObject({ code: 0 });
  expect(readdirSync(checkout.state)).toEqual(["logs"]);
  expect(processesOf(checkout.directory)).toEqual([]);
});

it("takes a machine out when the count is lowered, and says how big the pool is then", async () => {
  settings("{ pool: m }", "{ m: { provider: local, count: 2 } }");
  expect(await up()).toMatch(/One pool: 2 nodes · 3\.5 cpu/);
  settings("{ pool: m }", "{ m: { provider: local, count: 1, cpu: 3, labels: { disk: fast } } }");
  expect(await up()).toMatch(/One pool: 1 node · 2\.5 cpu/);
  expect(readdirSync(join(checkout.state, "machines"))).toEqual(["m-1"]);
  const { stdout } = await checkout.spillway(["nodes", "list", "--output", "json"]);
  expect(JSON.parse(stdout)).toMatchObject({ nodes: [{ name: "m-1", state: "ready", declaration: { labels: { disk: "fast" } } }] });
});

it("refuses to move the master rather than to lose its records", async () => {
  settings("{ pool: other }", "{ m: { provider: local, count: 1, cpu: 3 }, other: { provider: local, count: 1 } }");
  const refused = await checkout.spillway(["up", "local"]);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toMatch(/moving the master from m-1 to other-1 is not available in this version/);
  settings("{ pool: m }", "{ m: { provider: local, count: 1, cpu: 3 } }");
  await up();
});

it("brings a machine with the bundle's own Node into the pool, as any other host would be", async () => {
  settings("{ pool: m }", "{ m: { provider: local, count: 1, cpu: 3 }, far: { provider: local, count: 1, node: upload } }");
  expect(await up()).toMatch(/One pool: 2 nodes/);
  const ran = await checkout.spillway(["run", "--node-pool", "far", "--", "sh", "-c", "echo $SPILLWAY_NODE"]);
  expect(ran).toMatchObject({ code: 0, stdout: "far-1\n" });
});

it("wants a dead master mended before destroy, unless the environment's name is typed after --forget", async () => {
  for (const { pid, command } of processesOf(join(checkout.state, "machines", "m-1")))
    if (!command.includes("machine.ts")) process.kill(pid, "SIGKILL");
  const refused = await checkout.spillway(["destroy", "local", "--yes"]);
  expect(refused.code).not.toBe(0);
  expect(refused.stderr).toMatch(
    /the master at .* does not answer, and 2 machines still run[\s\S]*\.\/spillway destroy local --forget local/,
  );
  const forgotten = await checkout.spillway(["destroy", "local", "--yes", "--forget", "local"]);
  expect(forgotten, forgotten.stderr).toMatchObject({ code: 0 });
  expect(forgotten.stderr).toMatch(/there is no final ledger/);
  expect(processesOf(checkout.directory)).toEqual([]);
  expect(readdirSync(checkout.state)).toEqual(["logs"]);
});
