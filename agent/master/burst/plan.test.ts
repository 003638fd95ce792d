import { describe, expect, test } from "vitest";
import type { DrainCause, RetireCause } from "../../contract/ledger.ts";
import { burstPlan } from "../../contract/plan.ts";
import type { BurstPolicy } from "../../contract/policy.ts";
import { planDefaults } from "./options.ts";
import { type PlanInput, plan } from "./plan.ts";
import { launchRefusal } from "./revalidate.ts";
import type { BurstSnapshotNode } from "./situation.ts";
import { aBurstNode, aNode, anOffer, aPending, aPolicy, aRow, launch, live, noon, size } from "./testing/builders.ts";

const minute = 60_000;
const four = [0, 1, 2, 3];
const rule = (fields: Partial<BurstPolicy["rules"][number]>) => [{ ...(aPolicy().rules[0] as BurstPolicy["rules"][number]), ...fields }];

function planned(fields: Partial<Omit<PlanInput, "snapshot">> & { nodes?: readonly BurstSnapshotNode[] }, options = planDefaults) {
  const { nodes = [], ...rest } = fields;
  const offers = [anOffer("small", 1)];
  const result = plan({ snapshot: { nodes }, pending: [], policy: aPolicy(), offers, ledger: [], now: noon, ...rest }, options);
  expect(burstPlan.parse(result)).toEqual(result);
  return result;
}

const actions = ({ retire }: ReturnType<typeof plan>) =>
  retire.map(({ burst, action, cause }) => [burst, action, cause].filter(Boolean).join(" "));
const outcomes = ({ explain }: ReturnType<typeof plan>) => explain.demands.map(({ job, tasks, outcome }) => `${job} ${tasks} ${outcome}`);
const bought = ({ launch: list }: ReturnType<typeof plan>) => list.map(({ offer, nodes }) => `${nodes.length} ${offer.id}`);

describe("what is bought", () => {
  test("nothing, while there is room or nothing waits", () => {
    expect(bought(planned({}))).toEqual([]);
    expect(outcomes(planned({ nodes: [aNode("m-1")], pending: [aPending("a")] }))).toEqual(["a 1 room"]);
  });

  test("one machine for the tasks that fit on it, with its nodes by name and its reason", () => {
    const { launch: list, explain } = planned({ pending: [aPending("a", { indexes: four })] });
    expect(list).toHaveLength(1);
    expect(list[0]).toMatchObject({ hourly: 1, rule: 1, priority: 50, for: [{ job: "a", tasks: 4 }] });
    expect(list[0]?.nodes).toEqual([`${list[0]?.burst}-1`]);
    expect(list[0]?.reason).toBe("a machine of small for 4 waiting tasks of a (rule 1)");
    expect(explain.demands).toMatchObject([{ job: "a", tasks: 4, outcome: "launch", bursts: [list[0]?.burst] }]);
  });

  test("the cheaper one, unless its cloud takes such machines back so often that it is none", () => {
    const steady = anOffer("steady", 1);
    const chosenBeside = (often: ReturnType<typeof anOffer>) => planned({ offers: [often, steady], pending: [aPending("a")] });
    const slightlyCheaper = chosenBeside(anOffer("often", 0.9, { reclaimed: 0.2 }));
    expect(bought(slightlyCheaper)).toEqual(["1 steady"]);
    expect(slightlyCheaper.explain.demands[0]?.candidates[0]).toMatchObject({
      offer: "often",
      reclaimed: 0.2,
      rejected: "10 % cheaper for each task, but its cloud takes 20 % of such machines back, or more",
    });
    const muchCheaper = chosenBeside(anOffer("often", 0.5, { reclaimed: 0.2 }));
    expect(bought(muchCheaper)).toEqual(["1 often"]);
    expect(muchCheaper.launch[0]).toMatchObject({ hourly: 0.5 });
    expect(bought(chosenBeside(anOffer("often", 1, { reclaimed: 0.05 })))).toEqual(["1 steady"]);
  });

  test("the offer with the lowest price for each task, and why not the others", () => {
    const offers = [
      anOffer("tiny", 0.1, { shape: size(500) }),
      anOffer("small", 1, { shape: size(1000) }),
      anOffer("big", 2, { shape: size(4000) }),
      anOffer("bigger", 2.5, { shape: size(4000) }),
      anOffer("huge", 4, { shape: size(8000) }),
    ];
    const result = planned({ offers, pending: [aPending("a", { indexes: four })] });
    expect(bought(result)).toEqual(["1 big"]);
    expect(result.explain.demands[0]?.candidates).toEqual([
      { offer: "big", burstPool: "cloud", hourly: 2, fits: 4, hourlyPerTask: 0.5, chosen: true },
      {
        offer: "bigger",
        burstPool: "cloud",
        hourly: 2.5,
        fits: 4,
        hourlyPerTask: 0.625,
        chosen: false,
        rejected: "25 % dearer for each task",
      },
      { offer: "huge", burstPool: "cloud", hourly: 4, fits: 4, hourlyPerTask: 1, chosen: false, rejected: "100 % dearer for each task" },
      { offer: "small", burstPool: "cloud", hourly: 1, fits: 1, hourlyPerTask: 1, chosen: false, rejected: "100 % dearer for each task" },
      { offer: "tiny", burstPool: "cloud", hourly: 0.1, chosen: false, rejected: "too small in cpu and memory" },
    ]);
  });

  test("of a list of burst pools the first that has an offer", () => {
    const offers = [anOffer("a-1", 3, { burstPool: "aws" }), anOffer("z-1", 1, { burstPool: "azure" }), anOffer("other", 0.1)];
    const policy = aPolicy({ rules: rule({ use: ["aws", "azure"] }) });
    expect(bought(planned({ offers, policy, pending: [aPending("a")] }))).toEqual(["1 a-1"]);
    const full = offers.map((one) => (one.id === "a-1" ? { ...one, maxNodes: 0 } : one));
    const result = planned({ offers: full, policy, pending: [aPending("a")] });
    expect(bought(result)).toEqual(["1 z-1"]);
    expect(result.explain.demands[0]?.candidates.map(({ rejected }) => rejected)).toEqual([
      "0 of 0 machines that may exist are there",
      "rule 1 uses aws, azure only",
      undefined,
    ]);
  });

  test("nothing for a job that has not waited long enough, or whose priority no rule is for", () => {
    const policy = aPolicy({ rules: rule({ priorityAtLeast: 50 }) });
    const pending = [aPending("low", { priority: 49 }), aPending("new", { waitingSince: noon - 12_000 })];
    const result = planned({ policy, pending });
    expect(bought(result)).toEqual([]);
    expect(result.explain.demands.map(({ job, outcome, reason }) => [job, outcome, reason])).toEqual([
      ["new", "not-yet", "it waits for 12 s; rule 1 holds after 30 s"],
      ["low", "refused", "no burst rule is for priority 49"],
    ]);
  });

  test("nothing for a job that wants a node pool of one's own", () => {
    const result = planned({ pending: [aPending("a", { nodePool: "rack" })] });
    expect(bought(result)).toEqual([]);
    expect(result.explain.demands[0]?.reason).toBe("none of 1 offers will do: not in the node pool rack (1)");
    expect(bought(planned({ pending: [aPending("a", { nodePool: "cloud" })] }))).toEqual(["1 small"]);
  });

  test("nothing twice: what is on its way counts, whether decided, launching or not joined yet", () => {
    const pending = [aPending("a", { indexes: four })];
    for (const events of [[], [launch], live]) {
      expect(outcomes(planned({ pending, ledger: [aRow("b-1", events)] }))).toEqual(["a 4 on-the-way"]);
    }
    const more = planned({ pending: [aPending("a", { indexes: [...four, 4] })], ledger: [aRow("b-1", [launch])] });
    expect(outcomes(more)).toEqual(["a 4 on-the-way", "a 1 launch"]);
    const declared = aBurstNode("b-1-1", { contact: "never" }, { unavailable: "joining", capacity: size(0) });
    expect(outcomes(planned({ pending, nodes: [declared], ledger: [aRow("b-1", [launch])] }))).toEqual(["a 4 on-the-way"]);
  });

  test("no more at a time than maxParallel of the rule and maxNodes of all", () => {
    const pending = [aPending("a", { resources: size(4000), indexes: four })];
    const parallel = planned({ pending, policy: aPolicy({ rules: rule({ maxParallel: 2 }) }), ledger: [aRow("b-1", [launch])] });
    expect(outcomes(parallel)).toEqual(["a 1 on-the-way", "a 1 launch", "a 2 refused"]);
    expect(parallel.explain.demands.at(-1)?.reason).toBe("maxParallel of rule 1: 2 of 2 machines are on the way");
    const all = planned({ pending, policy: aPolicy({ maxNodes: 3 }), ledger: [aRow("b-1", [launch])] });
    expect(outcomes(all)).toEqual(["a 1 on-the-way", "a 2 launch", "a 1 refused"]);
    expect(all.explain.demands.at(-1)?.reason).toBe("maxNodes: 3 of 3 machines are bought or on the way");
  });

  test("no more than the budget allows, highest priority first", () => {
    const pending = [
      aPending("low", { priority: 10, resources: size(4000) }),
      aPending("high", { priority: 90, resources: size(4000), seq: 2 }),
    ];
    const result = planned({ pending, policy: aPolicy({ budget: { zone: "UTC", perHour: 1.5 } }) });
    expect(outcomes(result)).toEqual(["high 1 launch", "low 1 refused"]);
    expect(result.explain.demands[1]?.candidates[0]?.rejected).toBe("budget.perHour: $2.00/h would be above the cap of $1.50/h");
  });

  test("nothing while it is paused, and what is there goes on", () => {
    const ledger = [aRow("b-1", [...live, [{ type: "join", node: "b-1-1" }, noon]])];
    const result = planned({
      pending: [aPending("a", { resources: size(3000, 9000) })],
      paused: "paused by ops",
      ledger,
      nodes: [aBurstNode("b-1-1")],
    });
    expect([bought(result), actions(result)]).toEqual([[], []]);
    expect(result.explain.demands[0]?.reason).toBe("paused by ops");
  });

  test("an offer that has just failed is left alone for a while, and one that was of no use for the job too", () => {
    const failed = aRow("b-1", [launch, [{ type: "fail", reason: "stockout" }, noon - minute], { type: "gone" }], {
      at: noon - 2 * minute,
    });
    const result = planned({ pending: [aPending("a")], ledger: [failed] });
    expect(result.explain.demands[0]?.candidates[0]?.rejected).toBe("it failed: stockout; tried again in 4 min");
    expect(bought(planned({ pending: [aPending("a")], ledger: [failed], now: noon + 4 * minute }))).toEqual(["1 small"]);
    const idle = { type: "drain", cause: "idle", deadline: noon, reason: "idle" } as const;
    const unused = aRow("b-1", [...live, idle, { type: "retire", reason: "drained" }, { type: "gone" }], { for: [{ job: "a", tasks: 1 }] });
    expect(planned({ pending: [aPending("a")], ledger: [unused] }).explain.demands[0]?.candidates[0]?.rejected).toBe(
      "b-1 was bought for this job and never got a task",
    );
    expect(bought(planned({ pending: [aPending("b")], ledger: [unused] }))).toEqual(["1 small"]);
  });

  test("an offer that was live and never used is not bought again for the job at once, however it ended, unless somebody wanted its end", () => {
    const rejected = (...events: Parameters<typeof aRow>[1]) => {
      const ledger = [aRow("b-1", [...live, ...events], { for: [{ job: "a", tasks: 1 }], at: noon - 6 * minute })];
      return planned({ pending: [aPending("a")], ledger }).explain.demands[0]?.candidates[0]?.rejected;
    };
    const retire = (cause: RetireCause) => ({ type: "retire", reason: "", cause }) as const;
    const drain = (cause: DrainCause) => ({ type: "drain", cause, deadline: noon, reason: "" }) as const;
    const unused = "b-1 was bought for this job and never got a task";
    expect(rejected(retire("plan"))).toBe(unused);
    expect(rejected(retire("lost-machine"), { type: "gone" })).toBe(unused);
    expect(rejected({ type: "fail", reason: "no node has joined" }, { type: "gone" })).toBe(unused);
    expect(rejected(drain("idle"), retire("plan"))).toBe(unused);
    expect(rejected({ type: "use" }, retire("lost-machine"))).toBeUndefined();
    expect(rejected(retire("operator"))).toBeUndefined();
    expect(rejected(retire("closing"))).toBeUndefined();
    expect(rejected(drain("budget"), retire("plan"))).toBeUndefined();
    expect(rejected(drain("operator"), retire("plan"))).toBeUndefined();
  });

  test("an offer whose machine was lost rests as one does that has failed, used or not", () => {
    const lost = { type: "retire", reason: "off", cause: "lost-machine" } as const;
    const ledger = [aRow("b-1", [...live, { type: "use" }, [lost, noon - minute], { type: "gone" }], { at: noon - 2 * minute })];
    expect(planned({ pending: [aPending("a")], ledger }).explain.demands[0]?.candidates[0]?.rejected).toBe(
      "b-1 lost a machine; tried again in 4 min",
    );
    expect(bought(planned({ pending: [aPending("a")], ledger, now: noon + 4 * minute }))).toEqual(["1 small"]);
  });

  test("nothing from a burst pool of which something is leaked, and what is leaked counts in maxNodes", () => {
    const ledger = [aRow("b-1", [...live, { type: "retire", reason: "" }, { type: "leak", reason: "no permission" }])];
    const offers = [anOffer("small", 1), anOffer("other", 2, { burstPool: "rack" })];
    const result = planned({ pending: [aPending("a")], offers, ledger });
    expect(bought(result)).toEqual(["1 other"]);
    expect(result.explain.demands[0]?.candidates.find(({ offer }) => offer === "small")?.rejected).toBe(
      "b-1 of burst pool cloud could not be destroyed, and nothing is bought there until that is done: spillway fsck --fix",
    );
    const full = planned({ pending: [aPending("a")], offers, ledger, policy: aPolicy({ maxNodes: 1 }) });
    expect([bought(full), full.explain.demands[0]?.reason]).toEqual([
      [],
      "maxNodes: 1 of 1 machines are bought or on the way, 1 of them leaked (spillway fsck --fix)",
    ]);
  });

  test("several machines in one burst, where that is wanted", () => {
    const pending = [aPending("a", { resources: size(4000), indexes: [0, 1, 2, 3, 4] })];
    const result = planned({ pending, policy: aPolicy({ rules: rule({ perBurst: 4 }) }) });
    expect(bought(result)).toEqual(["4 small", "1 small"]);
    expect(result.launch[0]).toMatchObject({ hourly: 4, for: [{ job: "a", tasks: 4 }] });
    expect(new Set(result.launch.flatMap(({ nodes }) => nodes)).size).toBe(5);
  });
});

describe("what goes", () => {
  const old = noon - 10 * minute;
  const joined = (id: string, fields: Parameters<typeof aRow>[2] = {}) =>
    aRow(id, [...live, { type: "join", node: `${id}-1` }, { type: "use" }], { at: old, ...fields });

  test("a burst that is idle for long enough is drained, then deleted", () => {
    const nodes = [aBurstNode("b-1-1", { idleSince: noon - minute })];
    const first = planned({ nodes, ledger: [joined("b-1")] });
    expect(actions(first)).toEqual(["b-1 drain idle"]);
    expect(first.retire[0]?.reason).toBe("it is idle for 1 min");
    const draining = aRow("b-1", [...live, { type: "drain", cause: "idle", deadline: noon + minute, reason: "" }], { at: old });
    expect(actions(planned({ nodes, ledger: [draining] }))).toEqual(["b-1 delete"]);
  });

  test("not one that has work, is wanted, is too young, or is silent", () => {
    const why = (nodes: readonly BurstSnapshotNode[], fields: Parameters<typeof planned>[0] = {}) => {
      const result = planned({ nodes, ledger: [joined("b-1")], ...fields });
      expect(actions(result)).toEqual([]);
      return result.explain.bursts[0]?.reason;
    };
    const idle = { idleSince: noon - 2 * minute };
    expect(why([aBurstNode("b-1-1", { idleSince: undefined, topPriority: 50 }, { tasks: 2 })])).toBe("b-1-1 has 2 tasks");
    expect(why([aBurstNode("b-1-1", { idleSince: noon - 1000 })])).toBe("it is idle for 1 s; it goes after 1 min");
    expect(why([aBurstNode("b-1-1", idle)], { pending: [aPending("a")] })).toBe("a waiting task is about to be placed on it");
    expect(why([aBurstNode("b-1-1", { ...idle, contact: "silent", silentSince: noon - minute }, { unavailable: "lost" })])).toBe(
      "b-1-1 is silent for 1 min, which is no reason to end it before 45 min",
    );
    const young = {
      ledger: [joined("b-1", { at: noon - 70_000 })],
      policy: aPolicy({ retire: { ...aPolicy().retire, minimumLifeMs: 120_000 } }),
    };
    expect(why([aBurstNode("b-1-1", idle)], young)).toBe("it is idle, but lives for 1.2 min only; the least is 2 min");
  });

  test("one of whose nodes nothing can be heard any more, though tasks wait for it", () => {
    const ledger = [aRow("b-1", live, { at: old, nodes: ["b-1-1", "b-1-2"] })];
    const silent = (ms: number) => aBurstNode("b-1-2", { contact: "silent", silentSince: noon - ms }, { unavailable: "lost" });
    const after = (ms: number) => planned({ nodes: [aBurstNode("b-1-1"), silent(ms)], ledger, pending: [aPending("a")] });
    expect(actions(after(45 * minute - 1))).toEqual([]);
    const result = after(45 * minute);
    expect(actions(result)).toEqual(["b-1 delete"]);
    expect(result.retire[0]?.reason).toMatch(/^b-1-2 was not heard of for 45 min/);
  });

  test("of a burst of several nodes none goes before all are idle", () => {
    const ledger = [aRow("b-1", live, { at: old, nodes: ["b-1-1", "b-1-2"] })];
    const busy = aBurstNode("b-1-2", { idleSince: undefined }, { tasks: 1 });
    const idle = aBurstNode("b-1-1", { idleSince: noon - 5 * minute });
    expect(actions(planned({ nodes: [idle, busy], ledger }))).toEqual([]);
  });

  test("a drain ends at its deadline, tasks or not", () => {
    const nodes = [aBurstNode("b-1-1", { idleSince: undefined }, { tasks: 1, unavailable: "draining" })];
    const drain = (deadline: number) => [aRow("b-1", [...live, { type: "drain", cause: "operator", deadline, reason: "" }], { at: old })];
    const waits = planned({ nodes, ledger: drain(noon + 5000) });
    expect(actions(waits)).toEqual([]);
    expect(waits.explain.bursts[0]?.reason).toBe("it drains: 1 task left, which have 5 s to finish");
    expect(actions(planned({ nodes, ledger: drain(noon) }))).toEqual(["b-1 delete"]);
  });

  test("a draining burst that is wanted again is kept instead of another being bought, unless an operator drained it", () => {
    const nodes = [aBurstNode("b-1-1", {}, { unavailable: "draining" })];
    const drain = (cause: "idle" | "operator") => [
      aRow("b-1", [...live, { type: "drain", cause, deadline: noon + minute, reason: "" }], { at: old }),
    ];
    const kept = planned({ nodes, ledger: drain("idle"), pending: [aPending("a")] });
    expect([actions(kept), bought(kept), outcomes(kept)]).toEqual([["b-1 uncordon"], [], ["a 1 uncordon"]]);
    const ended = planned({ nodes, ledger: drain("operator"), pending: [aPending("a")] });
    expect([actions(ended), bought(ended)]).toEqual([["b-1 delete"], ["1 small"]]);
    const poor = aPolicy({ budget: { zone: "UTC", perDay: 0.19 } });
    expect(actions(planned({ nodes, ledger: drain("idle"), pending: [aPending("a")], policy: poor }))).toEqual(["b-1 delete"]);
  });

  test("one whose nodes never came is given up, and its offer is to blame", () => {
    const waiting = planned({ ledger: [aRow("b-1", live, { at: noon - 4 * minute })] });
    expect([actions(waiting), waiting.explain.bursts[0]?.reason]).toEqual([[], "1 of its 1 nodes have not joined yet"]);
    expect(actions(planned({ ledger: [aRow("b-1", live, { at: noon - 5 * minute })] }))).toEqual(["b-1 give-up"]);
  });

  test("when the budget is used up, the lowest priority is drained first; what is idle before all", () => {
    const ledger = ["b-1", "b-2", "b-3"].map((id) => joined(id, { priority: 90 }));
    const busy = (name: string, topPriority: number) => aBurstNode(name, { idleSince: undefined, topPriority }, { tasks: 1 });
    const nodes = [busy("b-1-1", 80), busy("b-2-1", 20), aBurstNode("b-3-1")];
    const hourly = (perHour: number) => planned({ nodes, ledger, policy: aPolicy({ budget: { zone: "UTC", perHour } }) });
    expect(actions(hourly(2))).toEqual(["b-3 drain budget"]);
    expect(actions(hourly(1))).toEqual(["b-3 drain budget", "b-2 drain budget"]);
    expect(hourly(2).retire[0]?.reason).toBe("budget.perHour: $3.00/h are above the cap of $2.00/h, and it has no task");
  });

  test("an intent that nobody waits for any more is withdrawn", () => {
    const ledger = [aRow("b-1", [])];
    expect(actions(planned({ ledger, pending: [aPending("a")] }))).toEqual([]);
    expect(actions(planned({ ledger }))).toEqual(["b-1 withdraw"]);
  });
});

test("an intent is looked at again before it is launched", () => {
  const row = aRow("b-1", []);
  const present = { rows: [row], offers: [anOffer("small", 1)], policy: aPolicy(), options: planDefaults, now: noon, paused: undefined };
  expect(launchRefusal(row, present)).toBeUndefined();
  expect(launchRefusal(row, { ...present, offers: [anOffer("small", 0.9)] })).toBeUndefined();
  expect(launchRefusal(row, { ...present, offers: [anOffer("small", 1.1)] })).toBe(
    "small has become dearer than the price that was reserved",
  );
  expect(launchRefusal(row, { ...present, offers: [] })).toBe("small is no longer offered");
  expect(launchRefusal(row, { ...present, paused: "paused by ops" })).toBe("paused by ops");
  expect(launchRefusal(row, { ...present, policy: aPolicy({ budget: { zone: "UTC", perHour: 0.5 } }) })).toMatch(/^budget\.perHour/);
  expect(launchRefusal(aRow("b-2", [launch]), present)).toBe("it is launching, not an intent");
  const others = [aRow("b-2", [launch]), aRow("b-3", [], { nodes: ["b-3-1", "b-3-2"] })];
  const beside = { ...present, rows: [row, ...others] };
  expect(launchRefusal(row, { ...beside, policy: aPolicy({ maxNodes: 4 }) })).toBeUndefined();
  expect(launchRefusal(row, { ...beside, policy: aPolicy({ maxNodes: 3 }) })).toBe("maxNodes: 3 of 3 machines are bought or on the way");
  const leaked = aRow("b-4", [...live, { type: "retire", reason: "" }, { type: "leak", reason: "" }]);
  expect(launchRefusal(row, { ...present, rows: [row, leaked] })).toMatch(/^b-4 of burst pool cloud could not be destroyed/);
  const by = (fields: Parameters<typeof rule>[0]) => launchRefusal(row, { ...present, policy: aPolicy({ rules: rule(fields) }) });
  expect(by({ use: ["rack", "cloud"] })).toBeUndefined();
  expect(by({ use: ["rack"] })).toBe("rule 1 uses rack only by now");
  expect(by({ priorityAtLeast: 60 })).toBe("rule 1 is for priority 60 and above by now");
  expect(launchRefusal(aRow("b-1", [], { rule: 2 }), present)).toBe("the policy has no rule 2 any more");
});
