import { Worker } from "node:worker_threads";
import { afterEach, expect, test } from "vitest";
import { manualClock } from "../testing/manual-clock.ts";
import { until } from "../testing/until.ts";
import { type PlanInput, plan } from "./plan.ts";
import { createPlanner, idleWorkerMs, type Planner, startWorker } from "./planner.ts";
import { anOffer, aPending, aPolicy, noon } from "./testing/builders.ts";

const input: PlanInput = {
  snapshot: { nodes: [] },
  pending: [aPending("train")],
  policy: aPolicy(),
  offers: [anOffer("small", 1)],
  ledger: [],
  now: noon,
  paused: undefined,
};

let planner: Planner;
const workers: Worker[] = [];
const logged: string[] = [];
const clock = manualClock();
function aPlanner(start: () => Worker = startWorker): void {
  planner = createPlanner(
    clock,
    (_level, _who, message) => logged.push(message),
    () => {
      const worker = start();
      workers.push(worker);
      return worker;
    },
  );
}
afterEach(async () => {
  await planner.end();
  workers.length = 0;
  logged.length = 0;
});

test("a plan is made in a thread of its own, the same as here", async () => {
  aPlanner();
  const [first, second] = await Promise.all([planner.plan(input), planner.plan({ ...input, pending: [] })]);
  expect(first).toEqual(plan(input));
  expect(second.launch).toEqual([]);
  expect(workers).toHaveLength(1);
});

test("a thread that dies is started anew, and the plan is made again", async () => {
  aPlanner();
  await planner.plan(input);
  const made = planner.plan(input);
  await workers[0]?.terminate();
  expect(await made).toEqual(plan(input));
  expect(workers).toHaveLength(2);
});

test("a plan that kills its thread twice is given up, and the next one is made", async () => {
  aPlanner(() => (workers.length < 2 ? new Worker("throw new Error('no memory')", { eval: true }) : startWorker()));
  await expect(planner.plan(input)).rejects.toMatchObject({ code: "plan-failed", message: expect.stringContaining("no memory") });
  expect(logged).toHaveLength(1);
  expect(await planner.plan(input)).toEqual(plan(input));
});

test("a thread with nothing to do ends after a while", async () => {
  aPlanner();
  await planner.plan(input);
  await clock.advance(idleWorkerMs);
  await until("the thread has ended", () => workers[0]?.threadId === -1);
  expect(await planner.plan(input)).toEqual(plan(input));
  expect(workers).toHaveLength(2);
});

test("no plan is made any more when the planner has ended", async () => {
  aPlanner();
  await planner.end();
  await expect(planner.plan(input)).rejects.toMatchObject({ code: "plan-failed" });
  expect(workers).toEqual([]);
});
