/** kill -9 of one process of `up` or `destroy` at random moments: the same command again ends clean. */
import { setTimeout as delay } from "node:timers/promises";
import { afterEach, expect, it } from "vitest";
import type { Checkout } from "../support/checkout.ts";
import { expectNothingLeft, makeSmallCheckout, runJobs } from "../support/engine-scenario.ts";
import { processesOf } from "../support/leftovers.ts";
import { randomSequence } from "../support/random-sequence.ts";
import { waitUntil } from "../support/wait-until.ts";

let checkout: Checkout;
afterEach(() => {
  checkout.remove();
});

const seed = Number(process.env.SPILLWAY_CRASH_SEED ?? 20_260_101);
const randomMoments = process.env.SPILLWAY_CRASH_FULL === "1" ? 10 : 4;

it.each(Array.from({ length: randomMoments }, (_unused, index) => index))(
  `random moment %i (seed ${seed}): one process of up or destroy is killed`,
  async (index) => {
    checkout = makeSmallCheckout();
    const random = randomSequence(seed + index);
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
      await runJobs(checkout);
      expect(await checkout.spillway(["destroy", "local", "--yes"])).toMatchObject({ code: 0 });
    }
    await expectNothingLeft(checkout);
  },
);

function killQuietly(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended by itself.
  }
}
