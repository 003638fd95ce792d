/** kill -9 through the real engine: at one point per station, at ten random moments, and (test:crash) at every point. */
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import { crashPoints } from "../../agent/contract/crash-point.ts";
import { type Checkout, makeCheckout } from "../support/checkout.ts";
import { processesOf } from "../support/leftovers.ts";
import { waitUntil } from "../support/wait-until.ts";

const full = process.env.SPILLWAY_CRASH_FULL === "1";
const onePerStation = [
  "machine.start",
  "remote.install",
  "context.write",
  "guard.close",
  "node.declare",
  "store.commit.report",
  "task.start",
] as const;
const points = full ? crashPoints : onePerStation;
const moments = full ? (["before", "after"] as const) : (["after"] as const);

let checkout: Checkout;
afterEach(() => {
  checkout.remove();
});

function begin(): void {
  checkout = makeCheckout();
  const pools = "{ m: { provider: local, count: 2 } }";
  const settings = `config:\n  spillway:environment:\n    masters: { pool: m }\n    pools: ${pools}\n    heartbeat: { interval: 250ms, suspectAfter: 2s, disconnectedAfter: 4s, lostAfter: 8s }\n`;
  writeFileSync(join(checkout.directory, "stacks/environment/Pulumi.local.yaml"), settings);
}

/** A second try must do what the first could not finish. */
async function untilDone(words: readonly string[], env: Record<string, string>): Promise<void> {
  const first = await checkout.spillway(words, { env });
  if (first.code === 0) return;
  const second = await checkout.spillway(words);
  expect(second, `${words.join(" ")}\nfirst: ${first.stderr}\nsecond: ${second.stderr}`).toMatchObject({ code: 0 });
}

async function runJobs(): Promise<void> {
  for (const [name, command] of [
    ["steady", ["sh", "-c", "sleep 0.1"]],
    ["stubborn", ["sh", "-c", 'test "$SPILLWAY_ATTEMPT" -ge 2']],
  ] as const) {
    const submit = [
      "run",
      "--detach",
      "--name",
      name,
      "--cpu",
      "0.2",
      "--memory",
      "32Mi",
      "--retries",
      "3",
      "--count",
      name === "steady" ? "4" : "1",
      "--",
    ];
    await waitUntil(`${name} is submitted`, async () => (await checkout.spillway([...submit, ...command])).code === 0, 30_000);
  }
  for (const name of ["steady", "stubborn"]) {
    await waitUntil(
      `${name} is done`,
      async () => {
        const shown = await checkout.spillway(["jobs", "show", name, "--output", "json"]);
        if (shown.code !== 0) return false;
        const job = JSON.parse(shown.stdout) as { state: string; indexes: { attempts: { state: string }[] }[] };
        if (job.state !== "succeeded") return false;
        for (const { attempts } of job.indexes) expect(attempts.filter((attempt) => attempt.state === "succeeded")).toHaveLength(1);
        return true;
      },
      60_000,
    );
  }
}

async function expectNothingLeft(): Promise<void> {
  // The plugin of a killed engine ends itself within half a second.
  await waitUntil("the last process has ended", () => processesOf(checkout.directory).length === 0, 5000);
  expect(readdirSync(checkout.state)).toEqual(["logs"]);
  expect(checkout.gitStatus()).toBe("");
}

const cases = points.flatMap((point) => moments.map((moment) => ({ point, moment })));

it.each(cases)("$point:$moment: up, jobs and destroy end as if nothing had happened", async ({ point, moment }) => {
  begin();
  const marker = join(checkout.directory, ".spillway", "crashed");
  const env = { SPILLWAY_CRASH_AT: `${point}:${moment}`, SPILLWAY_CRASH_MARKER: marker };
  await untilDone(["up", "local"], env);
  await runJobs();
  await checkout.spillway(["run", "--detach", "--name", "endless", "--", "sleep", "600"]);
  await checkout.spillway(["jobs", "cancel", "endless"]);
  await untilDone(["destroy", "local", "--yes"], env);
  expect(existsSync(marker), "the point was passed").toBe(true);
  await expectNothingLeft();
});

const seed = Number(process.env.SPILLWAY_CRASH_SEED ?? 20_260_101);

it.each(Array.from({ length: 10 }, (_unused, index) => index))(
  `random moment %i (seed ${seed}): one process of up or destroy is killed`,
  async (index) => {
    begin();
    const random = sequence(seed + index);
    const verb = index % 2 === 0 ? ["up", "local"] : ["destroy", "local", "--yes"];
    if (verb[0] === "destroy") expect(await checkout.spillway(["up", "local"])).toMatchObject({ code: 0 });
    const running = checkout.start(verb);
    await delay(200 + random() * 4000);
    const victims = processesOf(checkout.directory).filter(({ command }) => !command.includes("sleep"));
    const victim = victims[Math.floor(random() * victims.length)];
    if (victim !== undefined) killQuietly(victim.pid);
    // Killing the command itself leaves its engine at work for a while; nobody can start a second one before it ends.
    await Promise.race([running.outcome, delay(30_000)]);
    await waitUntil(
      "the same again succeeds",
      async () => {
        const again = await checkout.spillway(verb);
        if (again.code !== 0 && !/is changing this environment right now/.test(again.stderr))
          throw new Error(`after ${victim?.command} was killed: ${again.stderr}`);
        return again.code === 0;
      },
      60_000,
    );
    if (verb[0] === "up") {
      await runJobs();
      expect(await checkout.spillway(["destroy", "local", "--yes"])).toMatchObject({ code: 0 });
    }
    await expectNothingLeft();
  },
);

/** A small seeded generator (mulberry32), so that a failing moment can be tried again. */
function sequence(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}
