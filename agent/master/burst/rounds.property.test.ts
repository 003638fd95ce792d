import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { BurstRow } from "../../contract/ledger.ts";
import { budgetOf } from "./budget.ts";
import { pauseBursts, resumeBursts, stopBurst } from "./operator.ts";
import { planDefaults } from "./options.ts";
import { plan } from "./plan.ts";
import { policyOf } from "./snapshot.ts";
import { anOffer, aPolicy, size } from "./testing/builders.ts";
import { type BurstBench, burstBench } from "./testing/burst-bench.ts";
import { propertyRuns } from "./testing/property-runs.ts";

const stepMs = 6000;
const times = { launchTimeoutMs: 40_000, teardownMs: 60_000 };
const offers = [anOffer("small", 1, times), anOffer("big", 1.7, { ...times, shape: size(8000) })];

/** What may happen between any two steps of the others. */
const happening = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant("submit" as const),
      cpu: fc.constantFrom(1000, 4000, 8000),
      count: fc.integer({ min: 1, max: 3 }),
    }),
  },
  { weight: 10, arbitrary: fc.record({ type: fc.constantFrom("launch" as const, "launched" as const), nth: fc.nat(9) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom("fail" as const, "gone" as const), nth: fc.nat(9) }) },
  { weight: 6, arbitrary: fc.record({ type: fc.constantFrom("place" as const, "finish" as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("stop" as const), nth: fc.nat(9), now: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constantFrom("plan" as const, "pause" as const, "resume" as const, "restart" as const) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("crash" as const), after: fc.nat(3) }) },
);
type Happening = typeof happening extends fc.Arbitrary<infer T> ? T : never;

const caps = fc.record({
  zone: fc.constant("UTC"),
  perHour: fc.option(fc.integer({ min: 1, max: 6 }), { nil: undefined }),
  perDay: fc.option(fc.double({ min: 0.2, max: 2, noNaN: true }), { nil: undefined }),
});

test("committed money never passes a cap, and no row is lost, whatever happens between any two steps", { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(caps, fc.array(fc.array(happening, { maxLength: 6 }), { minLength: 20, maxLength: 60 }), async (budget, steps) => {
      const retire = { idleForMs: 10_000, minimumLifeMs: 10_000, drainDeadlineMs: 30_000 };
      const rules = [{ pendingForMs: 0, priorityAtLeast: 0, use: "cheapest" as const, maxParallel: 10, perBurst: 1 }];
      /** Happens while a plan is being made. */
      let meanwhile: readonly Happening[] = [];
      const bench = await burstBench({
        policy: aPolicy({ rules, budget, retire, maxNodes: 20 }),
        planner: () => ({
          async plan(input) {
            const made = plan(structuredClone(input));
            const happenings = meanwhile;
            meanwhile = [];
            for (const one of happenings) await happen(bench, one);
            return made;
          },
          end: async () => {},
        }),
      });
      await bench.heard(offers);
      const seen = new Map<string, BurstRow["state"]>();
      for (const happenings of steps) {
        const half = Math.floor(happenings.length / 2);
        for (const one of happenings.slice(0, half)) await happen(bench, one);
        meanwhile = happenings.slice(half).filter(({ type }) => type !== "plan" && type !== "crash" && type !== "restart");
        await promises(bench);
        await bench.round();
        check(bench, seen);
        await bench.clock.advance(stepMs);
        await bench.heard();
        check(bench, seen);
      }
    }),
    propertyRuns(20),
  );
});

/** What the caps rest on: launches are given up at their timeout, and what retires is gone in its time. */
async function promises(bench: BurstBench): Promise<void> {
  const now = bench.clock.now();
  for (const { id, state, at, launchTimeoutMs, teardownMs } of bench.rows()) {
    if (state === "launching" && now - (at.launching ?? now) + stepMs >= launchTimeoutMs)
      await bench.report(id, { type: "fail", reason: "too slow" });
    if (state === "retiring" && now - (at.retiring ?? now) + 2 * stepMs >= teardownMs) await bench.takeDown(id);
  }
}

function check(bench: BurstBench, seen: Map<string, BurstRow["state"]>): void {
  const leader = bench.leader();
  const { windows } = budgetOf(bench.rows(), { policy: policyOf(leader), options: planDefaults, now: bench.clock.now() });
  for (const { cap, committed } of windows) if (cap !== undefined) expect(committed).toBeLessThanOrEqual(cap + 1e-6);
  for (const id of seen.keys()) expect(leader.pool.bursts.has(id)).toBe(true);
  for (const [id, state] of seen) {
    if (state === "gone") expect(bench.row(id).state).toBe("gone");
    // What may cost is never taken for what was not bought.
    if (state !== "intent") expect(bench.row(id).state).not.toBe("intent");
  }
  for (const { id, state } of bench.rows()) seen.set(id, state);
  for (const [name, { record }] of leader.pool.nodes) expect(leader.pool.bursts.get(record.declaration.burst ?? "")?.nodes).toContain(name);
}

async function happen(bench: BurstBench, one: Happening): Promise<void> {
  const nth = (wanted: readonly BurstRow["state"][]) => {
    const rows = bench.rows().filter(({ state }) => wanted.includes(state));
    return "nth" in one ? rows[one.nth % rows.length] : undefined;
  };
  const refusable = async (act: Promise<unknown>) => {
    await act.catch((error: { code?: string }) => {
      if (error.code !== "launch-refused" && error.code !== "ledger-refused" && error.code !== "too-many-tasks") throw error;
    });
  };
  switch (one.type) {
    case "submit":
      return bench.submit(`j${bench.events.length}`, one);
    case "launch": {
      const row = nth(["intent"]);
      if (row !== undefined) await refusable(bench.report(row.id, { type: "launch" }));
      return;
    }
    case "launched": {
      const row = nth(["launching"]);
      if (row === undefined) return;
      await bench.report(row.id, { type: "launched" });
      return bench.joinNodes(bench.row(row.id));
    }
    case "fail": {
      const row = nth(["launching"]);
      if (row !== undefined) await bench.report(row.id, { type: "fail", reason: "stockout" });
      return;
    }
    case "gone": {
      const row = nth(["retiring"]);
      if (row !== undefined) await bench.takeDown(row.id);
      return;
    }
    case "place":
      return bench.place();
    case "finish":
      return bench.finish(bench.rows().flatMap(({ nodes }) => nodes));
    case "plan":
      await bench.round();
      return;
    case "stop": {
      const row = nth(["intent", "launching", "live", "draining"]);
      if (row !== undefined) await stopBurst(bench.leader(), row.id, { now: one.now, reason: "" });
      return;
    }
    case "pause":
      return pauseBursts(bench.leader(), "");
    case "resume":
      return resumeBursts(bench.leader());
    case "restart":
      return revive(bench);
    case "crash": {
      // Killed at one of the next writes of a plan, done or not.
      let left = one.after;
      bench.store.onCommit = () => {
        left -= 1;
        if (left < 0) bench.store.kill();
      };
      void bench.round();
      await bench.clock.advance(0);
      bench.store.onCommit = () => {};
      return revive(bench);
    }
  }
}

/** Another master; the burster reports itself, and agents say hello again. */
async function revive(bench: BurstBench): Promise<void> {
  await bench.restart();
  await bench.heard();
  for (const row of bench.rows()) if (row.state === "live" || row.state === "draining") await bench.joinNodes(row);
}
