import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { startOfDay, startOfMonth } from "../../contract/calendar.ts";
import type { BurstPlan, Offer } from "../../contract/plan.ts";
import type { BurstPolicy } from "../../contract/policy.ts";
import { shortages } from "../../contract/resources.ts";
import { budgetOf } from "./budget.ts";
import { planDefaults } from "./options.ts";
import { plan } from "./plan.ts";
import { anOffer, aPolicy, size } from "./testing/builders.ts";
import { billed, billedRate, pretendWorld, randomOf, type World, type WorldInput, type WorldJob } from "./testing/pretend-world.ts";
import { propertyRuns } from "./testing/property-runs.ts";

/** Half an hour before midnight, so that most runs see two days. */
const start = Date.UTC(2026, 2, 31, 23, 30);
const reactionMs = 60_000;
const longestStepMs = reactionMs / 4;
const options = { ...planDefaults, reactionMs, joinTimeoutMs: 60_000, silenceMarginMs: 60_000 };

const shapes = fc.record({ cpu: fc.integer({ min: 1, max: 8 }), memory: fc.integer({ min: 1, max: 8 }) });
const offers = fc
  .array(fc.record({ shape: shapes, hourly: fc.integer({ min: 1, max: 20 }), pool: fc.constantFrom("aws", "azure") }), {
    minLength: 1,
    maxLength: 6,
  })
  .map((list) =>
    list.map(({ shape, hourly, pool }, n): Offer => {
      const times = { launchTimeoutMs: 40_000, teardownMs: 120_000 };
      return anOffer(`o${n}`, hourly, { shape: { ...size(0), ...shape }, burstPool: pool, ...times });
    }),
  );
const job = fc.record({
  priority: fc.constantFrom(10, 50, 90),
  resources: shapes,
  count: fc.integer({ min: 1, max: 6 }),
  submittedAt: fc.integer({ min: 0, max: 20 }),
  runMs: fc.integer({ min: 30_000, max: 900_000 }),
});
const jobs = fc.array(job, { minLength: 1, maxLength: 8 }).map((list) =>
  list.map((one, n): WorldJob => {
    return { ...one, job: `j${n}`, seq: n, resources: { ...size(0), ...one.resources }, submittedAt: start + one.submittedAt * 60_000 };
  }),
);
const own = fc
  .array(shapes, { maxLength: 3 })
  .map((list) => list.map((shape, n) => ({ name: `m-${n}`, capacity: { ...size(0), ...shape } })));
const policy = fc
  .record({
    pendingForMs: fc.constantFrom(0, 30_000, 120_000),
    priorityAtLeast: fc.constantFrom(0, 50),
    use: fc.constantFrom<BurstPolicy["rules"][number]["use"]>("cheapest", ["azure", "aws"], ["aws"]),
    maxParallel: fc.integer({ min: 1, max: 6 }),
    maxNodes: fc.integer({ min: 0, max: 10 }),
    drainDeadlineMs: fc.constantFrom(0, 60_000),
    perBurst: fc.constantFrom(1, 3),
  })
  .map(({ maxNodes, drainDeadlineMs, ...rule }) =>
    aPolicy({ rules: [rule], maxNodes, retire: { idleForMs: 30_000, minimumLifeMs: 60_000, drainDeadlineMs }, expireAfterMs: 120_000 }),
  );
const caps = fc.record({
  perHour: fc.option(fc.integer({ min: 1, max: 60 }), { nil: undefined }),
  perDay: fc.option(fc.double({ min: 0.2, max: 10, noNaN: true }), { nil: undefined }),
  perMonth: fc.option(fc.double({ min: 0.2, max: 10, noNaN: true }), { nil: undefined }),
  zone: fc.constantFrom("UTC", "Europe/Berlin"),
});
const scenario = fc.record({ offers, jobs, own, policy, seed: fc.integer() });

/** Without `slowest` every launch is in time. */
function run(fields: Omit<WorldInput, "start" | "slowest"> & { slowest?: number }, steps: number): World {
  const world = pretendWorld({ start, slowest: 0.5, ...fields });
  for (let n = 0; n < steps; n += 1) world.step(1000 + Math.floor(fields.random() * (longestStepMs - 1000)));
  return world;
}

type ScenarioOf = typeof scenario extends fc.Arbitrary<infer T> ? T : never;

describe("for any pool, jobs, offers and policy", () => {
  test("committed money never passes a cap, nor does what is really billed, with a crash between any two steps", {
    timeout: 60_000,
  }, () => {
    fc.assert(
      fc.property(scenario, caps, fc.constantFrom(0, 0.05, 0.3), fc.constantFrom(0, 0.05), (given, budget, crashes, silence) => {
        const { seed, policy: base, ...rest } = given;
        const limited = { ...base, budget };
        const check = ({ rows, machines, now }: World) => {
          const context = { policy: limited, options, now };
          for (const { cap, committed } of budgetOf([...rows.values()], context).windows)
            if (cap !== undefined) expect(committed).toBeLessThanOrEqual(cap + 1e-6);
          expect(billedRate(machines)).toBeLessThanOrEqual((budget.perHour ?? Number.POSITIVE_INFINITY) + 1e-6);
          const today = billed(machines, startOfDay(now, budget.zone), now);
          expect(today).toBeLessThanOrEqual((budget.perDay ?? Number.POSITIVE_INFINITY) + 1e-6);
          const month = billed(machines, startOfMonth(now, budget.zone), now);
          expect(month).toBeLessThanOrEqual((budget.perMonth ?? Number.POSITIVE_INFINITY) + 1e-6);
          for (const { node, to } of machines) {
            const holders = [...rows.values()].filter((row) => row.nodes.includes(node));
            expect(holders).toHaveLength(1);
            if (to === undefined) expect(holders[0]?.state).not.toBe("gone");
          }
        };
        run({ ...rest, policy: limited, options, random: randomOf(seed), crashes, silence, slowest: 1.1, check }, 120);
      }),
      propertyRuns(8),
    );
  });

  test("a node that is silent for ever is ended, and silence ends none before its time", () => {
    fc.assert(
      fc.property(scenario, fc.constantFrom(0, 0.05, 0.3), ({ seed, ...rest }, crashes) => {
        const limitMs = rest.policy.expireAfterMs + options.silenceMarginMs;
        const silentMs = ({ silentSince, now }: World, nodes: readonly string[]) =>
          Math.max(0, ...nodes.map((id) => now - (silentSince.get(id) ?? now)));
        const check = (world: World) => {
          for (const { state, nodes } of world.rows.values())
            if (state === "live") expect(silentMs(world, nodes)).toBeLessThanOrEqual(limitMs + reactionMs);
        };
        const onPlan = ({ retire }: BurstPlan, world: World) => {
          for (const { burst, action } of retire) {
            const row = world.rows.get(burst);
            if (row?.state === "live" && action === "delete") expect(silentMs(world, row.nodes)).toBeGreaterThanOrEqual(limitMs);
          }
        };
        run({ ...rest, options, random: randomOf(seed), crashes, silence: 0.05, check, onPlan }, 120);
      }),
      propertyRuns(8),
    );
  });

  test("nothing is bought that no waiting task fits on, no limit is passed, and no id is used twice", () => {
    fc.assert(
      fc.property(scenario, ({ seed, ...rest }) => {
        const { maxNodes, rules } = rest.policy;
        const seen = new Set<string>();
        const onPlan = (made: BurstPlan, { rows, pending, now }: World) => {
          for (const { offer, nodes, for: tasks, rule } of made.launch) {
            const { pendingForMs = 0, priorityAtLeast = 0, use = [] } = rules[rule - 1] ?? {};
            expect(use === "cheapest" || use.includes(offer.burstPool)).toBe(true);
            expect(tasks.reduce((sum, one) => sum + one.tasks, 0)).toBeGreaterThanOrEqual(nodes.length);
            for (const { job: id, tasks: count } of tasks) {
              const waiting = pending().find((one) => one.job === id);
              expect(waiting?.indexes.length).toBeGreaterThanOrEqual(count);
              if (waiting === undefined) continue;
              expect(shortages(waiting.resources, offer.shape)).toEqual([]);
              expect(waiting.priority).toBeGreaterThanOrEqual(priorityAtLeast);
              expect(now - waiting.waitingSince).toBeGreaterThanOrEqual(pendingForMs);
            }
            for (const id of nodes) {
              expect(seen.has(id)).toBe(false);
              seen.add(id);
            }
          }
          const there = [...rows.values()].filter(({ state }) => state !== "gone").flatMap((row) => row.nodes).length;
          const added = made.launch.flatMap(({ nodes }) => nodes).length;
          if (added > 0) expect(there + added).toBeLessThanOrEqual(maxNodes);
        };
        run({ ...rest, options, random: randomOf(seed), crashes: 0, check: () => {}, onPlan }, 80);
      }),
      propertyRuns(8),
    );
  });

  /** Tasks that never end, all there from the start: what is decided after a while, and the world then. */
  function constantDemand({ seed, jobs: list, ...rest }: ScenarioOf, shapeOf: (job: WorldJob) => WorldJob["resources"]) {
    const forever = list.map((one): WorldJob => {
      const { runMs: _, ...kept } = one;
      return { ...kept, resources: shapeOf(one), submittedAt: start };
    });
    let step = 0;
    const late: string[] = [];
    const onPlan = (made: BurstPlan) => {
      step += 1;
      if (step <= 150) return;
      late.push(...made.launch.map(({ burst }) => `launch ${burst}`), ...made.retire.map(({ burst, action }) => `${action} ${burst}`));
    };
    const world = run({ ...rest, jobs: forever, options, random: randomOf(seed), crashes: 0, check: () => {}, onPlan }, 300);
    return { late, world };
  }

  test("on constant demand it comes to rest: nothing goes and comes back", { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(scenario, (given) => {
        expect(constantDemand(given, ({ resources }) => resources).late).toEqual([]);
      }),
      propertyRuns(6),
    );
  });

  test("on constant demand of one shape each machine that is bought is used, and stays", { timeout: 60_000 }, () => {
    fc.assert(
      fc.property(scenario, shapes, (given, shape) => {
        const { late, world } = constantDemand(given, () => ({ ...size(0), ...shape }));
        expect(late).toEqual([]);
        for (const row of world.rows.values()) expect([row.id, row.state, row.usedAt !== undefined]).toEqual([row.id, "live", true]);
      }),
      propertyRuns(6),
    );
  });

  test("the same situation gives the same plan, in whatever order it is told", () => {
    fc.assert(
      fc.property(scenario, caps, ({ seed, ...rest }, budget) => {
        const limited = { ...rest.policy, budget };
        const random = randomOf(seed);
        const shuffled = <T>(list: readonly T[]) =>
          list
            .map((one) => [random(), one] as const)
            .toSorted(([a], [b]) => a - b)
            .map(([, one]) => one);
        const onPlan = (made: BurstPlan, world: World) => {
          const snapshot = { nodes: shuffled(world.snapshot().nodes) };
          const [pending, ledger] = [shuffled(world.pending()), shuffled([...world.rows.values()])];
          const again = plan({ snapshot, pending, policy: limited, offers: shuffled(rest.offers), ledger, now: world.now }, options);
          expect(again).toEqual(made);
        };
        run({ ...rest, policy: limited, options, random, crashes: 0.05, slowest: 1.1, check: () => {}, onPlan }, 60);
      }),
      propertyRuns(6),
    );
  });
});
