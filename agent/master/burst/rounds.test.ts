import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { close } from "../jobs/closing.ts";
import type { PoolNode } from "../pool/pool.ts";
import { pauseBursts, removePolicy, resumeBursts, setPolicy, stopBurst } from "./operator.ts";
import { planDefaults } from "./options.ts";
import { planIntervalMs, planPauseMs, startBurstRounds } from "./rounds.ts";
import { anOffer, aPolicy } from "./testing/builders.ts";
import { type BurstBench, burstBench, inlinePlanner } from "./testing/burst-bench.ts";
import { burstViewOf } from "./view.ts";

const minute = 60_000;

let bench: BurstBench;
beforeEach(async () => {
  bench = await burstBench();
});

async function waiting(name = "train", fields: Parameters<BurstBench["submit"]>[1] = {}): Promise<void> {
  await bench.submit(name, fields);
  await bench.clock.advance(31_000);
  await bench.heard();
}
async function decided(): Promise<string> {
  await waiting();
  await bench.round();
  return bench.only().id;
}
async function live(): Promise<string> {
  const id = await decided();
  await bench.bringUp(id);
  return id;
}
const told = (kind: string) => bench.events.filter((event) => event.kind === kind).map(({ message }) => message);

describe("a plan that is applied", () => {
  test("buys once for what waits, and not again while that is on the way", async () => {
    await waiting("train", { count: 2 });
    await bench.round();
    expect(bench.rows().map(({ state }) => state)).toEqual(["intent", "intent"]);
    await bench.round();
    expect(bench.rows()).toHaveLength(2);
    expect(told("job-bursts")).toHaveLength(2);
  });

  test("decides nothing on what has changed while it was made", async () => {
    const id = await live();
    await bench.place();
    await bench.finish([`${id}-1`]);
    await bench.clock.advance(2 * minute);
    await bench.heard();
    const { bursting } = bench.leader();
    const inline = inlinePlanner();
    bursting.planner = {
      ...inline,
      async plan(input) {
        const made = await inline.plan(input);
        expect(made.retire).toMatchObject([{ burst: id, action: "drain", cause: "idle" }]);
        await bench.submit("late");
        await bench.place();
        return made;
      },
    };
    await bench.round();
    expect(bench.row(id).state).toBe("live");
  });

  test("buys nothing for a job that was cancelled meanwhile, nor by a policy that is no more", async () => {
    await waiting();
    const { bursting } = bench.leader();
    const inline = inlinePlanner();
    bursting.planner = {
      ...inline,
      async plan(input) {
        const made = await inline.plan(input);
        expect(made.launch).toHaveLength(1);
        await setPolicy(bench.leader(), aPolicy({ maxNodes: 0 }));
        return made;
      },
    };
    await bench.round();
    expect(bench.rows()).toEqual([]);
  });

  test("an intent nobody waits for any more is withdrawn, and an idle burst goes", async () => {
    const id = await live();
    await bench.place();
    await bench.clock.advance(2 * minute);
    await bench.round();
    expect(bench.row(id).state).toBe("live");
    await bench.finish([`${id}-1`]);
    await bench.clock.advance(minute);
    await bench.round();
    expect(bench.row(id)).toMatchObject({ state: "draining", drain: { cause: "idle" } });
    await bench.round();
    expect(bench.row(id)).toMatchObject({ state: "retiring", why: "it is drained" });
  });

  test("why a job gets no machine is told once, until the reason is another", async () => {
    await setPolicy(bench.leader(), aPolicy({ budget: { zone: "UTC", perHour: 0.5 } }));
    await waiting();
    for (let n = 0; n < 3; n += 1) await bench.round();
    expect(told("job-burst-refused")).toEqual([
      "No machine is bought for job train: none of 1 offers will do: budget.perHour: $1.00/h would be above the cap of $0.50/h (1)",
    ]);
    await pauseBursts(bench.leader(), "lunch");
    for (let n = 0; n < 2; n += 1) await bench.round();
    expect(told("job-burst-refused").slice(1)).toEqual(["No machine is bought for job train: bursts are paused: lunch"]);
  });

  test("a leaked burst stops all buying from its burst pool, intents too, until it is gone", async () => {
    const id = await live();
    await bench.submit("other");
    await bench.clock.advance(31_000);
    await bench.heard();
    await bench.round();
    const intent = bench.rows().at(-1)?.id ?? "";
    await bench.report(id, { type: "retire", reason: "off" });
    await bench.report(id, { type: "leak", reason: "no permission" });
    const why = `${id} of burst pool cloud could not be destroyed, and nothing is bought there until that is done: spillway fsck --fix`;
    await expect(bench.report(intent, { type: "launch" })).rejects.toMatchObject({ code: "launch-refused" });
    expect(bench.row(intent)).toMatchObject({ state: "gone", why });
    await bench.heard([anOffer("spare", 1)]);
    await bench.round();
    expect(told("job-burst-refused").at(-1)).toBe(`No machine is bought for job other: none of 1 offers will do: ${why} (1)`);
    await bench.heard([anOffer("elsewhere", 1, { burstPool: "rack" }), anOffer("spare", 1)]);
    await bench.round();
    expect(bench.rows().map(({ offer }) => offer)).toEqual(["small", "small", "elsewhere", "elsewhere"]);
    await bench.report(id, { type: "gone" });
    for (const { id: other, state } of bench.rows())
      if (state === "intent") await stopBurst(bench.leader(), other, { now: true, reason: "" });
    await bench.heard([anOffer("spare", 1)]);
    await bench.round();
    expect(bench.rows().at(-1)).toMatchObject({ offer: "spare", state: "intent" });
  });

  test("80 % of a budget are warned of once, over restarts too", async () => {
    await setPolicy(bench.leader(), aPolicy({ budget: { zone: "UTC", perDay: 0.093 } }));
    await decided();
    await bench.round();
    await bench.restart();
    await bench.heard();
    await bench.round();
    expect(told("burst-budget-warning")).toHaveLength(1);
    expect(told("burst-budget-warning")[0]).toMatch(/^Bursts: \$0\.0\d+ of \$0\.093 of this day \(\d\d %\) are committed$/);
  });

  test("the budget holds when several plans meet", async () => {
    await setPolicy(bench.leader(), aPolicy({ budget: { zone: "UTC", perHour: 2 } }));
    await waiting("train", { count: 5 });
    await Promise.all([bench.round(), bench.round(), bench.round()]);
    expect(bench.rows().filter(({ state }) => state !== "gone")).toHaveLength(2);
  });
});

describe("a node that is never heard of again", () => {
  const limitMs = aPolicy().expireAfterMs + planDefaults.silenceMarginMs;
  async function silenced(): Promise<{ id: string; node: PoolNode }> {
    const id = await live();
    await bench.place();
    return { id, node: fallSilent(id) };
  }
  function fallSilent(id: string): PoolNode {
    const node = bench.leader().pool.nodes.get(`${id}-1`);
    if (node === undefined) throw new Error("it is not in the pool");
    node.state = "lost";
    node.heardAt = bench.clock.monotonic();
    return node;
  }

  test("keeps its burst until its own timer must have ended it, and not longer", async () => {
    const { id } = await silenced();
    await bench.clock.advance(limitMs - 1000);
    await bench.round();
    expect(bench.row(id).state).toBe("live");
    expect(bench.leader().bursting.lastPlan?.explain.bursts[0]?.reason).toBe(`${id}-1 has 1 task`);
    await bench.clock.advance(1000);
    await bench.round();
    expect(bench.row(id)).toMatchObject({
      state: "retiring",
      retired: "plan",
      why: `${id}-1 was not heard of for 45 min: it has ended itself by now, or nobody can reach it any more`,
    });
  });

  test("is waited for anew by a master that has just started", async () => {
    const { id } = await silenced();
    await bench.clock.advance(limitMs - 1000);
    await bench.restart();
    await bench.clock.advance(limitMs - 1000);
    await bench.round();
    expect(bench.row(id).state).toBe("live");
    await bench.clock.advance(1000);
    await bench.round();
    expect(bench.row(id).state).toBe("retiring");
  });

  test("and is back while the plan is made keeps its burst", async () => {
    const { id, node } = await silenced();
    await bench.clock.advance(limitMs);
    const { bursting } = bench.leader();
    const inline = inlinePlanner();
    bursting.planner = {
      ...inline,
      async plan(input) {
        const made = await inline.plan(input);
        expect(made.retire).toMatchObject([{ burst: id, action: "delete" }]);
        node.state = "ready";
        node.heardAt = bench.clock.monotonic();
        return made;
      },
    };
    await bench.round();
    expect(bench.row(id).state).toBe("live");
  });
});

describe("what the operator says", () => {
  test("a pause stops a launch that is already an intent, says why nothing is bought, and outlives a restart", async () => {
    const id = await decided();
    await pauseBursts(bench.leader(), "too dear");
    await bench.restart();
    await bench.heard();
    expect(burstViewOf(bench.leader(), { all: false })).toMatchObject({
      blocked: "bursts are paused: too dear",
      paused: { reason: "too dear" },
    });
    await expect(bench.report(id, { type: "launch" })).rejects.toMatchObject({ code: "launch-refused" });
    expect(bench.row(id).state).toBe("gone");
    await resumeBursts(bench.leader());
    await bench.round();
    expect(bench.only().state).toBe("intent");
  });

  test("stopping drains what is live, undoes a launch, withdraws an intent, and is refused for a leak", async () => {
    const stop = (id: string, now = false) => stopBurst(bench.leader(), id, { now, reason: "" });
    const first = await live();
    expect(await stop(first)).toMatchObject({ state: "draining", drain: { cause: "operator", deadline: bench.clock.now() + 2 * minute } });
    expect((await stop(first, true)).state).toBe("retiring");
    expect((await stop(first)).state).toBe("retiring");
    await bench.report(first, { type: "leak", reason: "no permission" });
    await expect(stop(first)).rejects.toMatchObject({ code: "ledger-refused", hint: expect.stringContaining("fsck") });
    await bench.report(first, { type: "gone" });
    await bench.round();
    const second = bench.rows().at(-1)?.id ?? "";
    await bench.report(second, { type: "launch" });
    expect((await stop(second)).state).toBe("retiring");
    await bench.clock.advance(5000);
    await bench.round();
    const third = bench.rows().at(-1)?.id ?? "";
    expect((await stop(third)).state).toBe("gone");
    expect((await stop(third)).state).toBe("gone");
  });

  test("without a policy nothing is bought, and what is there drains and goes", async () => {
    const id = await live();
    await bench.place();
    await bench.submit("other");
    await bench.clock.advance(31_000);
    await bench.heard();
    await bench.round();
    const launching = bench.rows().at(-1)?.id ?? "";
    await bench.report(launching, { type: "launch" });
    await removePolicy(bench.leader());
    expect(bench.row(id)).toMatchObject({ state: "draining", drain: { cause: "operator", deadline: bench.clock.now() + 2 * minute } });
    expect(bench.row(launching).state).toBe("retiring");
    await bench.round();
    expect(bench.row(id).state).toBe("draining");
    await bench.finish([`${id}-1`]);
    await bench.round();
    expect(bench.row(id).state).toBe("retiring");
    expect(bench.rows()).toHaveLength(2);
  });

  test("a teardown withdraws and retires everything at once, also after a restart in its midst", async () => {
    const up = await live();
    await bench.place();
    await bench.submit("other", { count: 2 });
    await bench.clock.advance(31_000);
    await bench.heard();
    await bench.round();
    const [, launching, intent] = bench.rows().map(({ id }) => id);
    await bench.report(launching ?? "", { type: "launch" });
    let left = 2;
    bench.store.onCommit = () => {
      left -= 1;
      if (left === 0) bench.store.kill();
    };
    void close(bench.leader(), { graceMs: 0, reason: "destroy" });
    await bench.clock.advance(0);
    bench.store.onCommit = () => {};
    await bench.restart();
    expect([up, launching ?? "", intent ?? ""].map((id) => bench.row(id).state)).toEqual(["retiring", "retiring", "gone"]);
    await bench.heard();
    expect(burstViewOf(bench.leader(), { all: false }).blocked).toBe("the environment is closing (destroy)");
    await bench.round();
    expect(bench.rows()).toHaveLength(3);
  });
});

describe("the rounds", () => {
  let stop: () => Promise<void>;
  let plans: number;
  beforeEach(async () => {
    plans = 0;
    const inline = inlinePlanner();
    bench.leader().bursting.planner = {
      ...inline,
      plan(input) {
        plans += 1;
        return inline.plan(input);
      },
    };
    stop = startBurstRounds(bench.leader());
    await settle();
  });
  afterEach(() => stop());
  const settle = async () => {
    for (let n = 0; n < 5; n += 1) await bench.clock.advance(0);
  };

  test("make no plan while nothing waits and nothing costs", async () => {
    await bench.clock.advance(minute);
    expect(plans).toBe(0);
  });

  test("make one plan of many changes, and one now and then", async () => {
    await bench.submit("train");
    for (let n = 0; n < 20; n += 1) bench.leader().bursting.requestPlan();
    await settle();
    expect(plans).toBe(1);
    for (let n = 0; n < 20; n += 1) bench.leader().bursting.requestPlan();
    await settle();
    expect(plans).toBe(1);
    await bench.clock.advance(planPauseMs);
    await settle();
    expect(plans).toBe(2);
    await bench.clock.advance(planIntervalMs + 1000);
    await settle();
    expect(plans).toBe(3);
  });

  test("look again at the moment from which a rule holds", async () => {
    await setPolicy(
      bench.leader(),
      aPolicy({ rules: [{ pendingForMs: 2000, priorityAtLeast: 0, use: "cheapest", maxParallel: 1, perBurst: 1 }] }),
    );
    await bench.submit("train");
    bench.leader().bursting.requestPlan();
    await settle();
    expect(bench.rows()).toEqual([]);
    await bench.clock.advance(2000);
    await settle();
    expect(bench.only().state).toBe("intent");
  });

  test("extend the lives of what works, with one write for all", async () => {
    await bench.submit("train", { count: 3 });
    await bench.clock.advance(31_000);
    await bench.heard();
    bench.leader().bursting.requestPlan();
    await bench.clock.advance(planPauseMs);
    await settle();
    for (const { id } of bench.rows()) await bench.report(id, { type: "launch" });
    const { expireAfterMs } = aPolicy();
    const firstEnd = bench.row(bench.rows()[0]?.id ?? "").expiresAt;
    await bench.clock.advance(expireAfterMs / 4);
    await settle();
    const commits = bench.store.commits();
    await bench.clock.advance(minute + 1000);
    await settle();
    expect(bench.store.commits()).toBe(commits + 1);
    for (const { expiresAt } of bench.rows()) expect(expiresAt).toBeGreaterThan(firstEnd);
  });

  test("tell once that the burster is silent, and that it is back", async () => {
    await bench.clock.advance(2 * minute);
    expect(told("burst-burster-silent")).toHaveLength(1);
    expect(burstViewOf(bench.leader(), { all: false })).toMatchObject({ offers: [], burster: { silent: true } });
    await bench.heard([anOffer("small", 2)]);
    expect(told("burst-burster-heard")).toHaveLength(2);
    expect(burstViewOf(bench.leader(), { all: false })).toMatchObject({ offers: [{ id: "small" }], burster: { silent: false } });
    expect(burstViewOf(bench.leader(), { all: false }).blocked).toBeUndefined();
  });
});
