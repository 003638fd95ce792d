/** kill -9 through the real engine: at one point of each station, and (test:crash) at every point, before and after its act. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import type { Checkout } from "../support/checkout.ts";
import { plainPoints } from "../support/crash-suites.ts";
import { expectNothingLeft, makeSmallCheckout, runJobs, untilDone } from "../support/engine-scenario.ts";

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
const points = full ? plainPoints : onePerStation;
const moments = full ? (["before", "after"] as const) : (["after"] as const);

let checkout: Checkout;
afterEach(() => {
  checkout.remove();
});

const cases = points.flatMap((point) => moments.map((moment) => ({ point, moment })));

it.each(cases)("$point:$moment: up, jobs and destroy end as if nothing had happened", async ({ point, moment }) => {
  checkout = makeSmallCheckout();
  const marker = join(checkout.directory, ".spillway", "crashed");
  const env = { SPILLWAY_CRASH_AT: `${point}:${moment}`, SPILLWAY_CRASH_MARKER: marker };
  await untilDone(checkout, ["up", "local"], env);
  await runJobs(checkout);
  await checkout.spillway(["run", "--detach", "--name", "endless", "--", "sleep", "600"]);
  await checkout.spillway(["jobs", "cancel", "endless"]);
  await untilDone(checkout, ["destroy", "local", "--yes"], env);
  expect(existsSync(marker), "the point was passed").toBe(true);
  await expectNothingLeft(checkout);
});
