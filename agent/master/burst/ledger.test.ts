import { beforeEach, describe, expect, test } from "vitest";
import { budgetOf } from "./budget.ts";
import { heardBurster } from "./burster.ts";
import { setPolicy } from "./operator.ts";
import { planDefaults } from "./options.ts";
import { plan } from "./plan.ts";
import { keepGoneMs, pruneBursts } from "./prune.ts";
import { takeTelling } from "./report.ts";
import { planInput, policyOf, rowsThatMatter } from "./snapshot.ts";
import { anOffer, aPolicy } from "./testing/builders.ts";
import { type BurstBench, burstBench, holder } from "./testing/burst-bench.ts";
import { burstWork } from "./work.ts";

const minute = 60_000;

let bench: BurstBench;
beforeEach(async () => {
  bench = await burstBench();
});

/** A job has waited for long enough. */
async function waiting(name = "train"): Promise<void> {
  await bench.submit(name);
  await bench.clock.advance(31_000);
  await bench.heard();
}

/** And its burst was decided. */
async function decided(): Promise<string> {
  await waiting();
  await bench.round();
  return bench.only().id;
}
const kinds = () => bench.events.filter(({ subject }) => subject.startsWith("burst/")).map(({ kind }) => kind);

describe("the ledger", () => {
  test("an intent is durable before it is handed out", async () => {
    await waiting();
    const { revision } = await burstWork(bench.leader(), { waitMs: 0 });
    let handedOut = false;
    const ask = async () => {
      await burstWork(bench.leader(), { after: revision, waitMs: 25_000 });
      handedOut = true;
    };
    void ask();
    bench.store.kill();
    void bench.round();
    await bench.clock.advance(0);
    expect([bench.only().state, handedOut]).toEqual(["intent", false]);
    await bench.restart();
    expect(handedOut).toBe(false);
    await bench.heard();
    await bench.round();
    const { rows } = await burstWork(bench.leader(), { after: revision, waitMs: 25_000 });
    expect(rows).toMatchObject([{ state: "intent", for: [{ job: "train", tasks: 1 }] }]);
    expect((await bench.store.get(`burst/${rows[0]?.id}`))?.value).toEqual(rows[0]);
  });

  test("a crash before an intent is written leaves nothing that could be launched, and the next plan decides anew", async () => {
    await waiting();
    bench.store.kill();
    void bench.round();
    await bench.clock.advance(0);
    expect(bench.rows()).toHaveLength(1);
    await bench.restart();
    expect(bench.rows()).toEqual([]);
    await bench.heard();
    await bench.round();
    expect(bench.only().state).toBe("intent");
  });

  test("goes from intent to gone, each move told with its reason, and a restart between any two loses no row", async () => {
    const id = await decided();
    const states: string[] = [];
    const next = async () => {
      const before = bench.row(id);
      await bench.restart();
      expect(bench.row(id)).toEqual(before);
      states.push(before.state);
      await bench.heard();
    };
    await next();
    await bench.report(id, { type: "launch" });
    await next();
    await bench.report(id, { type: "time", phase: "boot", seconds: 2 });
    await bench.report(id, { type: "launched" });
    await next();
    await bench.joinNodes(bench.row(id));
    await bench.place();
    expect(bench.row(id)).toMatchObject({ joined: { [`${id}-1`]: bench.clock.now() }, usedAt: bench.clock.now() });
    await bench.finish(bench.row(id).nodes);
    await bench.clock.advance(2 * minute);
    await bench.round();
    await next();
    await bench.joinNodes(bench.row(id));
    await bench.round();
    await next();
    await bench.takeDown(id);
    await next();
    expect(states).toEqual(["intent", "launching", "live", "draining", "retiring", "gone"]);
    expect(kinds()).toEqual([
      "burst-intent",
      "burst-launching",
      "burst-live",
      "burst-joined",
      "burst-used",
      "burst-draining",
      "burst-retiring",
      "burst-gone",
    ]);
    const told = bench.events.find(({ kind }) => kind === "burst-intent");
    expect(told?.message).toBe(`Burst ${id} is to be bought: a machine of small for 1 waiting task of train (rule 1), $1.00/h`);
    expect(told?.data).toMatchObject({ hourly: 1, nodes: [`${id}-1`], candidates: [{ offer: "small", chosen: true }] });
  });

  test("keeps its identity over restarts, and another ledger has another", async () => {
    const first = bench.leader().pool.ledger;
    await bench.restart();
    expect(bench.leader().pool.ledger).toEqual(first);
    expect((await burstBench()).leader().pool.ledger?.id).not.toBe(first?.id);
  });

  test("a report that comes twice is answered twice, and what may not be is refused", async () => {
    const id = await decided();
    await bench.report(id, { type: "launch" });
    expect((await bench.report(id, { type: "launch" })).state).toBe("launching");
    await expect(bench.report(id, { type: "gone" })).rejects.toMatchObject({ code: "ledger-refused" });
    await bench.report(id, { type: "fail", reason: "stockout" });
    await bench.report(id, { type: "gone" });
    expect(await bench.report(id, { type: "gone" })).toMatchObject({ state: "gone", failure: "stockout" });
    await expect(bench.report("b-none", { type: "gone" })).rejects.toMatchObject({ code: "not-found" });
  });

  test("a late word that a launch has failed destroys nothing that has joined; what is live again is no fault", async () => {
    const id = await decided();
    await bench.bringUp(id);
    await expect(bench.report(id, { type: "fail", reason: "too late" })).rejects.toMatchObject({
      code: "ledger-refused",
      message: "a burst in the state live can't fail to launch",
    });
    const row = bench.row(id);
    expect([row.state, row.failure]).toEqual(["live", undefined]);
    expect(await bench.report(id, { type: "launched" })).toEqual(row);
  });

  test("whoever applies plans retires a burst because it lost a machine, whatever it says", async () => {
    const id = await decided();
    await bench.bringUp(id);
    expect(await bench.report(id, { type: "retire", reason: "its machine is off", cause: "operator" })).toMatchObject({
      state: "retiring",
      retired: "lost-machine",
    });
  });

  test("the master gives up what is live when none of its nodes has joined", async () => {
    const id = await decided();
    await bench.report(id, { type: "launch" });
    await bench.report(id, { type: "launched" });
    await bench.clock.advance(planDefaults.joinTimeoutMs);
    await bench.round();
    expect(bench.row(id)).toMatchObject({ state: "retiring", failure: "none of its nodes has joined within 5 min" });
  });

  test("forgets what ended long ago, and nothing else", async () => {
    const old = await decided();
    await bench.report(old, { type: "launch" });
    await bench.report(old, { type: "fail", reason: "stockout" });
    await bench.report(old, { type: "gone" });
    await bench.clock.advance(keepGoneMs);
    await bench.heard();
    await bench.round();
    const { id } = bench.only();
    pruneBursts(bench.leader());
    await bench.restart();
    expect(bench.rows().map((row) => row.id)).toEqual([id]);
  });

  test("money of bursts that are over counts in its windows", async () => {
    const id = await decided();
    await bench.report(id, { type: "launch" });
    await bench.clock.advance(20_000);
    await bench.report(id, { type: "fail", reason: "stockout" });
    await bench.report(id, { type: "gone" });
    await bench.restart();
    const context = { policy: policyOf(bench.leader()), options: planDefaults, now: bench.clock.now() };
    expect(budgetOf(rowsThatMatter(bench.leader()), context).windows[2]?.spent).toBeCloseTo(20 / 3600, 6);
    expect(planInput(bench.leader())).toMatchObject({ ledger: [{ id }], settled: { month: 0 } });
    await bench.clock.advance(3 * 60 * minute);
    const later = planInput(bench.leader());
    expect([later.ledger, later.settled?.month]).toEqual([[], 20 / 3600]);
    expect(plan(later).explain.budget.windows[2]?.spent).toBeCloseTo(20 / 3600, 6);
  });
});

describe("whoever waits for work", () => {
  test("is answered with the next change, after the time it gave, and at once when it knows nothing", async () => {
    await waiting();
    const { revision } = await burstWork(bench.leader(), { waitMs: 25_000 });
    const patient = burstWork(bench.leader(), { after: revision, waitMs: 1000 });
    await bench.clock.advance(1000);
    expect(await patient).toMatchObject({ revision, rows: [] });
    const woken = burstWork(bench.leader(), { after: revision, waitMs: 25_000 });
    await bench.round();
    const { id } = bench.only();
    expect((await woken).revision).toBeGreaterThan(revision);
    expect(bench.leader().bursting.waiters.size).toBe(0);
    // A revision of an earlier master is not taken for one of this.
    await bench.restart();
    expect((await burstWork(bench.leader(), { after: revision, waitMs: 25_000 })).rows).toMatchObject([{ id }]);
  });

  test("is let go when the master shuts down", async () => {
    const { revision } = await burstWork(bench.leader(), { waitMs: 0 });
    const asked = burstWork(bench.leader(), { after: revision, waitMs: 25_000 });
    bench.leader().shutdown.abort();
    expect((await asked).rows).toEqual([]);
  });
});

describe("two bursters", () => {
  const other = { holder: "burster-2", host: "there", pid: 2, version: "0", offers: [anOffer("small", 1)] };

  test("the second is refused while the first is heard, in everything it says", async () => {
    const id = await decided();
    await expect(heardBurster(bench.leader(), other)).rejects.toMatchObject({ code: "burster-held" });
    await expect(bench.report(id, { type: "launch" }, "burster-2")).rejects.toMatchObject({ code: "burster-held" });
    expect(() => takeTelling(bench.leader(), { holder: "burster-2", kind: "burst-x", message: "", data: {} })).toThrow("another burster");
    await bench.clock.advance(30_000);
    expect(await heardBurster(bench.leader(), other)).toMatchObject({ leaseMs: 30_000 });
    await expect(bench.heard()).rejects.toMatchObject({ code: "burster-held" });
  });

  test("one that has not reported itself launches nothing", async () => {
    const id = await decided();
    await bench.restart();
    await expect(bench.report(id, { type: "launch" })).rejects.toMatchObject({ code: "burster-held" });
    expect(bench.row(id).state).toBe("intent");
    await bench.heard();
    expect((await bench.report(id, { type: "launch" }, holder)).state).toBe("launching");
  });
});

test("an intent is looked at again before it is launched, and withdrawn when it must not be", async () => {
  const id = await decided();
  await setPolicy(bench.leader(), aPolicy({ budget: { zone: "UTC", perHour: 0.5 } }));
  await expect(bench.report(id, { type: "launch" })).rejects.toMatchObject({ code: "launch-refused" });
  expect(bench.row(id)).toMatchObject({ state: "gone", why: expect.stringMatching(/^budget\.perHour/) });
});
