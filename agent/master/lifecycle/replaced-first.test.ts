import { beforeEach, describe, expect, test } from "vitest";
import { pauseBursts } from "../burst/operator.ts";
import { anOffer, aPolicy } from "../burst/testing/builders.ts";
import { type BurstBench, burstBench } from "../burst/testing/burst-bench.ts";
import { cancelJob } from "../jobs/cancel.ts";
import { evictDue } from "./cordon-drain.ts";
import { hearNotice } from "./notice.ts";
import { retireReclaimed } from "./notice-burst.ts";

/** 54 s from the decision to a node that takes tasks, where a rule holds after 30 s. */
const offer = anOffer("small", 1, { expectedSeconds: { create: 15, boot: 25, ssh: 2, agent: 10, join: 2 } });
const seconds = 1000;

let bench: BurstBench;
/** The burst whose machine is taken away; one task of `train` fills it. */
let taken: string;

async function running(policy = aPolicy()): Promise<void> {
  bench = await burstBench({ policy });
  await bench.submit("train");
  await pass(31);
  await bench.round();
  taken = bench.only().id;
  await bench.bringUp(taken);
  await bench.place();
}
beforeEach(() => running());

/** The burster goes on to be heard. */
async function pass(span: number): Promise<void> {
  await bench.clock.advance(span * seconds);
  await bench.heard([offer, { ...offer, id: "other", price: { ...offer.price, machine: 1.2 } }]);
}
async function look(): Promise<void> {
  evictDue(bench.leader());
  await bench.leader().writer.settled();
  retireReclaimed(bench.leader());
  await bench.leader().writer.settled();
}
async function noticed(inSeconds = 120): Promise<void> {
  const now = bench.clock.now();
  const notice = { kind: "reclaim" as const, at: now + inSeconds * seconds, text: "EC2 takes it" };
  hearNotice(bench.leader(), `${taken}-1`, { type: "heartbeat", sentAt: now, notice });
  await bench.leader().writer.settled();
  await look();
}
/** The nodes of the task's attempts that have not ended. */
const runsOn = () =>
  bench
    .leader()
    .pool.jobs.get("train")
    ?.indexes.flatMap(({ attempts }) => attempts.filter(({ finishedAt }) => finishedAt === undefined).map(({ node }) => node));
const here = () => [`${taken}-1`];
const replacement = () => bench.rows().find(({ id }) => id !== taken);

describe("a task on a machine that is taken away, with room nowhere else", () => {
  test("runs on until what is bought for it is there, and then goes on to that", async () => {
    await noticed();
    expect(runsOn()).toEqual(here());
    await pass(31);
    await bench.round();
    const { id = "", why, offer: bought } = replacement() ?? {};
    expect(why).toContain("1 waiting task of train");
    // The cloud has no room for what it takes away.
    expect(bought).toBe("other");
    await pass(20);
    await look();
    expect(runsOn()).toEqual(here());
    await bench.bringUp(id);
    await look();
    await bench.place();
    expect(runsOn()).toEqual([`${id}-1`]);
    expect(bench.row(taken).state).toBe("live");
    await pass(10);
    await look();
    expect(bench.row(taken)).toMatchObject({ state: "retiring", retired: "lost-machine" });
  });

  test("is told to run on, in the notice's event", async () => {
    await noticed();
    const [event] = bench.events.filter(({ kind }) => kind === "node-reclaimed");
    expect(event?.message).toMatch(/and its 1 task is tried again elsewhere, 1 of them once there is room: until then they run on$/);
  });

  test("is evicted once it is clear that nothing is bought for it, and its burst makes room for another", async () => {
    await running(aPolicy({ budget: { zone: "UTC", perHour: 1.5 } }));
    await noticed();
    await pass(31);
    await bench.round();
    expect(replacement()).toBeUndefined();
    expect(runsOn()).toEqual(here());
    await pass(4);
    await look();
    expect(runsOn()).toEqual([]);
    await pass(10);
    await look();
    expect(bench.row(taken).state).toBe("retiring");
    await bench.takeDown(taken);
    await pass(30);
    await bench.round();
    expect(replacement()?.state).toBe("intent");
  });

  test("is evicted with its grace before the machine goes, should its replacement come too late", async () => {
    await noticed();
    await pass(31);
    await bench.round();
    for (let second = 31; second < 104; second += 1) await pass(1);
    await look();
    expect(runsOn()).toEqual(here());
    await pass(1);
    await look();
    expect(runsOn()).toEqual([]);
    expect(bench.row(taken).state).toBe("live");
    await pass(10);
    await look();
    expect(bench.row(taken).state).toBe("retiring");
  });
});

describe("what is bought for it", () => {
  test("is its own, whatever waits behind it", async () => {
    await running(aPolicy({ maxNodes: 2 }));
    await noticed();
    await bench.submit("later", { priority: 10 });
    await pass(31);
    await bench.round();
    const { id = "" } = replacement() ?? {};
    await bench.bringUp(id);
    await bench.place();
    expect(runsOn()).toEqual([`${id}-1`]);
  });

  test("is still waited for by a master that begins anew", async () => {
    await noticed();
    await pass(31);
    await bench.round();
    await bench.restart();
    await look();
    expect(runsOn()).toEqual(here());
    await pass(10);
    await look();
    expect(runsOn()).toEqual(here());
  });

  test("is nothing, once the job is cancelled", async () => {
    await noticed();
    const job = bench.leader().pool.jobs.get("train");
    if (job === undefined) throw new Error("no job");
    await cancelJob(bench.leader(), job, { reason: "not wanted" });
    await pass(31);
    await bench.round();
    expect(replacement()).toBeUndefined();
  });
});

describe("it is evicted at once", () => {
  test("where there is room, since it can begin there now", async () => {
    await bench.submit("other");
    await pass(31);
    await bench.round();
    const { id = "" } = replacement() ?? {};
    await bench.bringUp(id);
    await noticed();
    expect(runsOn()).toEqual([]);
    await bench.place();
  });

  test("on a notice that is too short to buy anything first", async () => {
    await noticed(30);
    expect(runsOn()).toEqual([]);
  });

  test("while there may be no more machines", async () => {
    await running(aPolicy({ maxNodes: 1 }));
    await noticed();
    expect(runsOn()).toEqual([]);
  });

  test("while nothing may be bought", async () => {
    await pauseBursts(bench.leader(), "lunch");
    await noticed();
    expect(runsOn()).toEqual([]);
  });

  test("when its burst is ended meanwhile", async () => {
    await noticed();
    await bench.report(taken, { type: "retire", reason: "off" });
    await look();
    expect(runsOn()).toEqual([]);
  });
});
