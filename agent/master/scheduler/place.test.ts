import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { addResources, noResources, type Resources, shortages } from "../../contract/resources.ts";
import { maxTasksPerNode, type PendingJob, place, placeDefaults, type Snapshot, type SnapshotNode } from "./place.ts";

const now = 1_000_000;
const size = (cpu: number, memory = cpu, gpus: Resources["gpus"] = []): Resources => ({ cpu, memory, disk: 0, gpus });

function aNode(name: string, fields: Partial<SnapshotNode> = {}): SnapshotNode {
  const capacity = fields.capacity ?? size(4000);
  return { name, pool: "rack", capacity, free: capacity, ...fields };
}

let sequence = 0;
function aPending(job: string, fields: Partial<PendingJob> = {}): PendingJob {
  sequence += 1;
  return { job, priority: 50, seq: sequence, resources: size(1000), indexes: [0], waitingSince: now, ...fields };
}

const nodesOf = (round: ReturnType<typeof place>) =>
  Object.fromEntries(round.placements.map(({ job, index, node }) => [`${job}.${index}`, node]));

describe("place", () => {
  test("a task goes to the node it fills best, ties by name", () => {
    const snapshot = { nodes: [aNode("m3"), aNode("m2", { capacity: size(2000) }), aNode("m1")] };
    expect(nodesOf(place(snapshot, [aPending("a")], now))).toEqual({ "a.0": "m2" });
    expect(nodesOf(place(snapshot, [aPending("a", { resources: size(3000) })], now))).toEqual({ "a.0": "m1" });
  });

  test("a task without GPUs leaves the nodes that have some to those who need them", () => {
    const snapshot = { nodes: [aNode("gpu", { capacity: size(1000, 1000, [{ model: "a100", count: 2 }]) }), aNode("plain")] };
    expect(nodesOf(place(snapshot, [aPending("a")], now))).toEqual({ "a.0": "plain" });
    const wants = aPending("b", { resources: size(500, 500, [{ model: "a100", count: 2 }]) });
    expect(nodesOf(place(snapshot, [wants], now))).toEqual({ "b.0": "gpu" });
    const more = aPending("c", { resources: size(1, 1, [{ model: "a100", count: 3 }]) });
    expect(place(snapshot, [more], now).unplaced[0]?.rejections.map(({ reason }) => reason)).toEqual(["too small in gpu a100"]);
  });

  test("higher priority first, then the order of submission", () => {
    const snapshot = { nodes: [aNode("m1", { capacity: size(2000) })] };
    const jobs = [aPending("old", { priority: 10 }), aPending("high", { priority: 90 }), aPending("new", { priority: 10 })];
    const round = place(snapshot, jobs, now);
    expect(Object.keys(nodesOf(round))).toEqual(["high.0", "old.0"]);
    expect(round.unplaced.map(({ job }) => job)).toEqual(["new"]);
  });

  test("only available nodes of the node pool are taken, and each rejection is told", () => {
    const snapshot = {
      nodes: [
        aNode("away", { unavailable: "suspect" }),
        aNode("small", { capacity: size(500) }),
        aNode("full", { free: size(200, 900) }),
        aNode("fuller", { free: size(100, 950) }),
        aNode("other", { pool: "base" }),
      ],
    };
    expect(place(snapshot, [aPending("a", { nodePool: "rack" })], now).unplaced).toEqual([
      {
        job: "a",
        indexes: [0],
        rejections: [
          {
            reason: "too little cpu and memory free",
            nodes: ["full", "fuller"],
            detail: "best has 0.2 cpu free (full), 950 MiB memory free (fuller)",
          },
          { reason: "not in the node pool rack", nodes: ["other"] },
          { reason: "suspect", nodes: ["away"] },
          { reason: "too small in cpu and memory", nodes: ["small"], detail: "best has 0.5 cpu free (small), 500 MiB memory free (small)" },
        ],
      },
    ]);
  });

  test("a node takes so many tasks at most, however small they are", () => {
    const snapshot = { nodes: [aNode("m1", { tasks: maxTasksPerNode - 1 })] };
    const round = place(snapshot, [aPending("a", { resources: size(1), indexes: [0, 1] })], now);
    expect(nodesOf(round)).toEqual({ "a.0": "m1" });
    expect(round.unplaced[0]?.rejections).toEqual([{ reason: "full: it has 500 tasks, the most a node takes", nodes: ["m1"] }]);
  });

  test("a placement names its candidates, and why the others were none, within bounds", () => {
    const snapshot = { nodes: [aNode("m1"), aNode("m2"), aNode("away", { unavailable: "suspect" })] };
    expect(place(snapshot, [aPending("a")], now).placements[0]).toMatchObject({
      candidates: 2,
      candidateNames: ["m1", "m2"],
      rejections: [{ reason: "suspect", nodes: ["away"] }],
    });
    const many = { nodes: Array.from({ length: 1000 }, (_, n) => aNode(`m${n}`, { capacity: size(1000) })) };
    const { placements } = place(many, [aPending("a", { indexes: Array.from({ length: 100 }, (_, n) => n) })], now);
    expect(placements[0]?.candidateNames).toHaveLength(10);
    expect(placements.filter(({ rejections }) => rejections !== undefined)).toHaveLength(20);
  });

  test("a round is bounded, and says that there is more", () => {
    const snapshot = { nodes: [aNode("m1", { capacity: size(1_000_000) })] };
    const job = aPending("a", { resources: size(1), indexes: Array.from({ length: 1000 }, (_, index) => index) });
    const round = place(snapshot, [job], now);
    expect(round.placements).toHaveLength(300);
    expect(round.more).toBe(true);
  });

  test("a big job is not starved: after its wait it gets the next room of one node", () => {
    const jobs = (bigSince: number) => [
      aPending("big", { resources: size(4000), waitingSince: bigSince, seq: 1 }),
      aPending("small", { indexes: [0, 1, 2, 3], seq: 2 }),
    ];
    const snapshot = { nodes: [aNode("m1", { free: size(2000) }), aNode("m2", { free: size(3000) })] };
    expect(nodesOf(place(snapshot, jobs(now), now))).toMatchObject({ "small.0": "m1", "small.2": "m2" });
    const waited = place(snapshot, jobs(now - placeDefaults.reserveAfterMs), now);
    // m2 lacks the least, so it is kept for the big job.
    expect(nodesOf(waited)).toEqual({ "small.0": "m1", "small.1": "m1" });
    expect(waited.unplaced[1]?.rejections).toContainEqual({ reason: "reserved for job big, which has waited longer", nodes: ["m2"] });
    const roomy = { nodes: [aNode("m1", { free: size(0) }), aNode("m2")] };
    expect(nodesOf(place(roomy, jobs(now - placeDefaults.reserveAfterMs), now))).toEqual({ "big.0": "m2" });
  });

  test("under a stream of small tasks a big one is placed as soon as the tasks of one node have ended", () => {
    const nodes = [aNode("m1"), aNode("m2")];
    const running: { node: string; ends: number; cpu: number }[] = [];
    let bigAt: number | undefined;
    for (let step = 0; step < 200 && bigAt === undefined; step += 1) {
      const at = now + step * 1000;
      for (const task of running.splice(0)) if (task.ends > step) running.push(task);
      const snapshot: Snapshot = {
        nodes: nodes.map((node) => {
          const used = running.filter((task) => task.node === node.name).reduce((sum, task) => sum + task.cpu, 0);
          return { ...node, free: size(4000 - used) };
        }),
      };
      const small = Array.from({ length: 8 }, (_, n) => aPending(`s${step}-${n}`, { waitingSince: at, seq: 100 + step * 8 + n }));
      const big = aPending("big", { resources: size(4000), waitingSince: now + 3000, seq: 50 });
      const round = place(snapshot, step < 3 ? small : [...small, big], at);
      for (const { job, node } of round.placements) {
        if (job === "big") bigAt = step;
        running.push({ node, ends: step + 3 + (running.length % 5), cpu: job === "big" ? 4000 : 1000 });
      }
    }
    expect(bigAt).toBeGreaterThanOrEqual(33);
    expect(bigAt).toBeLessThan(45);
  });

  test("10,000 pending tasks of a few shapes that fit nowhere are looked at quickly", () => {
    const nodes = Array.from({ length: 500 }, (_, n) => aNode(`m${n}`, { free: size(10) }));
    const jobs = Array.from({ length: 10_000 }, (_, n) => aPending(`j${n}`, { resources: size(100 + (n % 4)) }));
    const begun = performance.now();
    const round = place({ nodes }, jobs, now);
    expect(round.unplaced).toHaveLength(10_000);
    // About 20 ms alone; the bound only tells a few shapes from ten thousand looks at 500 nodes.
    expect(performance.now() - begun).toBeLessThan(1500);
  });

  describe("for any pool and any jobs", () => {
    const models = ["a100", "h100"];
    const gpus = fc.uniqueArray(fc.record({ model: fc.constantFrom(...models), count: fc.integer({ min: 1, max: 4 }) }), {
      selector: ({ model }) => model,
      maxLength: 2,
    });
    const amounts = (max: number) =>
      fc.record({ cpu: fc.integer({ min: 0, max }), memory: fc.integer({ min: 0, max }), disk: fc.integer({ min: 0, max }), gpus });
    const pools = fc.constantFrom("rack", "base");
    const node = fc
      .record({ pool: pools, capacity: amounts(8), busy: fc.integer({ min: 0, max: 8 }), away: fc.boolean() })
      .map(({ pool, capacity, busy, away }) => ({
        pool,
        capacity,
        free: { ...capacity, cpu: Math.max(0, capacity.cpu - busy) },
        ...(away ? { unavailable: "suspect" } : {}),
      }));
    const snapshots = fc
      .array(node, { maxLength: 8 })
      .map((nodes): Snapshot => ({ nodes: nodes.map((one, n) => ({ ...one, name: `m${n}` })) }));
    const job = fc.record(
      {
        priority: fc.constantFrom(10, 50, 90),
        resources: amounts(4),
        nodePool: pools,
        count: fc.integer({ min: 1, max: 6 }),
        waited: fc.constantFrom(0, 40_000),
      },
      { requiredKeys: ["priority", "resources", "count", "waited"] },
    );
    const queues = fc.array(job, { maxLength: 12 }).map((jobs) =>
      jobs.map(
        ({ count, waited, ...fields }, n): PendingJob => ({
          ...fields,
          job: `j${n}`,
          seq: n,
          waitingSince: now - waited,
          indexes: Array.from({ length: count }, (_, index) => index),
        }),
      ),
    );
    const sum = (parts: Resources[]) => parts.reduce((total, part) => addResources(total, part), noResources);

    test("no node is given more than it has free, and none that is away or of another node pool", () => {
      fc.assert(
        fc.property(snapshots, queues, (snapshot, queue) => {
          const { placements } = place(snapshot, queue, now);
          for (const one of snapshot.nodes) {
            const jobs = placements
              .filter((placement) => placement.node === one.name)
              .map(({ job: id }) => queue.find((pending) => pending.job === id));
            if (one.unavailable !== undefined) expect(jobs).toEqual([]);
            for (const pending of jobs) if (pending?.nodePool !== undefined) expect(pending.nodePool).toBe(one.pool);
            expect(shortages(sum(jobs.map((pending) => pending?.resources ?? noResources)), one.free)).toEqual([]);
          }
        }),
      );
    });

    test("each index is placed once or told as unplaced, never both", () => {
      fc.assert(
        fc.property(snapshots, queues, (snapshot, queue) => {
          const round = place(snapshot, queue, now);
          const told = [
            ...round.placements.map(({ job: id, index }) => `${id}.${index}`),
            ...round.unplaced.flatMap(({ job: id, indexes }) => indexes.map((index) => `${id}.${index}`)),
          ];
          expect(told.toSorted()).toEqual(queue.flatMap(({ job: id, indexes }) => indexes.map((index) => `${id}.${index}`)).toSorted());
        }),
      );
    });

    test("the same input gives the same placements, in whatever order it comes", () => {
      fc.assert(
        fc.property(snapshots, queues, (snapshot, queue) => {
          const reversed = { nodes: snapshot.nodes.toReversed() };
          expect(place(reversed, queue.toReversed(), now)).toEqual(place(snapshot, queue, now));
        }),
      );
    });

    test("what is left unplaced fits nowhere, unless a node is reserved", () => {
      fc.assert(
        fc.property(snapshots, queues, (snapshot, queue) => {
          const fresh = queue.map((pending) => ({ ...pending, waitingSince: now }));
          const { placements, unplaced } = place(snapshot, fresh, now);
          for (const { job: id } of unplaced) {
            const pending = fresh.find((one) => one.job === id);
            for (const one of snapshot.nodes) {
              if (pending === undefined || one.unavailable !== undefined || (pending.nodePool ?? one.pool) !== one.pool) continue;
              const taken = placements
                .filter((placement) => placement.node === one.name)
                .map(({ job: other }) => fresh.find((each) => each.job === other));
              const needed = sum([...taken.map((each) => each?.resources ?? noResources), pending.resources]);
              expect(shortages(needed, one.free)).not.toEqual([]);
            }
          }
        }),
      );
    });

    test("a task of lower priority never takes a place from one of higher priority", () => {
      fc.assert(
        fc.property(snapshots, queues, (snapshot, queue) => {
          const high = queue.filter(({ priority }) => priority === 90);
          const placedOf = (round: ReturnType<typeof place>) =>
            round.placements.filter(({ job: id }) => high.some((one) => one.job === id));
          expect(placedOf(place(snapshot, queue, now))).toEqual(placedOf(place(snapshot, high, now)));
        }),
      );
    });
  });
});
