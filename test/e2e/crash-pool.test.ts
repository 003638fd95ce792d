/** kill -9 of master and agent at every named point, while jobs run: every job is done with exactly one recorded success. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { type Client, createClient } from "../../agent/contract/client.ts";
import { poolPoints } from "../support/crash-suites.ts";
import { processesOf } from "../support/leftovers.ts";
import { makePluginEnvironment, type PluginEnvironment, withPlugin } from "../support/plugin-environment.ts";
import { waitUntil } from "../support/wait-until.ts";

const moments = process.env.SPILLWAY_CRASH_FULL === "1" ? (["before", "after"] as const) : (["after"] as const);
const cases = poolPoints.flatMap((point) => moments.map((moment) => ({ point, moment })));

let environment: PluginEnvironment | undefined;
let client: Client | undefined;
afterEach(() => {
  client?.dispose();
  environment?.remove();
  environment = undefined;
});

it.each(cases)("$point:$moment: a killed master or agent loses nothing and runs nothing twice to success", async ({ point, moment }) => {
  environment = makePluginEnvironment();
  const here = environment;
  const marker = join(here.directory, "crashed");
  const crashing = { SPILLWAY_CRASH_AT: `${point}:${moment}`, SPILLWAY_CRASH_MARKER: marker };

  // The master may be the one that dies while the plugin waits for it; then the next run goes on, as a person's would.
  const first = await withPlugin(crashing, (plugin) => here.up(plugin));
  if (first !== undefined) expect(await withPlugin(crashing, (plugin) => here.up(plugin))).toBeUndefined();
  const pool = connectTo(here);
  client = pool;

  await submit(pool, { name: "steady", command: ["sh", "-c", "sleep 0.2"], count: 4 });
  await submit(pool, { name: "stubborn", command: ["sh", "-c", 'test "$SPILLWAY_ATTEMPT" -ge 2'], count: 1 });
  await submit(pool, { name: "endless", command: ["sleep", "600"], count: 1 });
  await waitUntil("the endless one runs", async () => (await stateOf(pool, "endless")) === "running", 30_000);
  await patiently(() => pool.cancelJob("endless"));
  for (const name of ["steady", "stubborn"]) {
    await waitUntil(`${name} is done`, async () => (await stateOf(pool, name)) === "succeeded", 30_000);
    const job = await patiently(() => pool.job(name));
    for (const { index, attempts } of job.indexes) {
      expect(attempts.filter((attempt) => attempt.state === "succeeded").length, `successes of ${name}/${index}`).toBe(1);
    }
  }
  await waitUntil("the endless one is cancelled", async () => (await stateOf(pool, "endless")) === "cancelled", 30_000);

  const down = await withPlugin(crashing, (plugin) => here.down(plugin));
  if (down !== undefined) expect(await withPlugin(crashing, (plugin) => here.down(plugin))).toBeUndefined();
  expect(existsSync(marker), "the point was passed").toBe(true);
  expect(processesOf(here.directory)).toEqual([]);
  expect(readdirSync(here.directory).filter((name) => name !== "logs" && name !== "crashed")).toEqual([]);
});

function connectTo(here: PluginEnvironment): Client {
  const authority = here.recorded.get("Authority")?.state as { caCert: string; adminToken: { value: string } };
  const master = here.recorded.get("Master")?.state as { endpoint: string };
  return createClient({ url: master.endpoint, ca: authority.caCert, token: authority.adminToken.value });
}

async function submit(pool: Client, job: { name: string; command: string[]; count: number }): Promise<void> {
  const resources = { cpu: 200, memory: 32 };
  await patiently(() => pool.submitJob({ ...job, resources, retries: 3, graceMs: 500 }));
}

async function stateOf(pool: Client, name: string): Promise<string> {
  return (await patiently(() => pool.job(name))).state;
}

/** A master that was killed is back within seconds; a caller asks again, and asking again changes nothing. */
async function patiently<T>(act: () => Promise<T>): Promise<T> {
  let answer: { value: T } | undefined;
  let last: unknown;
  await waitUntil(
    "the master answers",
    async () => {
      try {
        answer = { value: await act() };
        return true;
      } catch (error) {
        last = error;
        if (!["master-unreachable", "master-timeout", "stream-interrupted"].includes((error as { code?: string }).code ?? "")) throw error;
        return false;
      }
    },
    15_000,
  );
  if (answer === undefined) throw last;
  return answer.value;
}
