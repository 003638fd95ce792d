/**
 * A pretend pool, burster and cloud on a virtual clock, for tests of the planner: what is durable is the ledger and the
 * machines; a crash stops whoever acts between any two acts, and the next step begins from what is durable.
 */
import type { BurstEvent, BurstRow } from "../../../contract/ledger.ts";
import type { BurstPlan, Offer } from "../../../contract/plan.ts";
import type { BurstPolicy } from "../../../contract/policy.ts";
import { type Resources, subtractResources } from "../../../contract/resources.ts";
import { type PendingJob, place } from "../../scheduler/place.ts";
import { advance } from "../advance.ts";
import { eventOf } from "../follow.ts";
import { intentRow } from "../intent.ts";
import type { PlanOptions } from "../options.ts";
import { plan } from "../plan.ts";
import { launchRefusal } from "../revalidate.ts";
import { type BurstSnapshot, type BurstSnapshotNode, drainingReason } from "../situation.ts";

export interface WorldJob {
  readonly job: string;
  readonly seq: number;
  readonly priority: number;
  readonly resources: Resources;
  readonly count: number;
  readonly submittedAt: number;
  /** How long a task runs; it never ends when left out. */
  readonly runMs?: number;
}

export interface WorldInput {
  readonly start: number;
  readonly policy: BurstPolicy;
  readonly options: PlanOptions;
  readonly offers: readonly Offer[];
  readonly own: readonly { readonly name: string; readonly capacity: Resources }[];
  readonly jobs: readonly WorldJob[];
  /** 0–1, the same numbers for the same seed. */
  readonly random: () => number;
  /**
   * How likely it is that whoever acts dies before an act. It is up again at the next step, and does not die again
   * when no step has come to its end for half the reaction time: that is what the reaction time promises.
   */
  readonly crashes: number;
  /** How likely a node that has joined is never heard of again, each step; its machine goes on. */
  readonly silence?: number;
  /** The slowest launch, as a share of the launch timeout; above 1 some fail. */
  readonly slowest: number;
  /** After each act, and after the clock was moved. */
  readonly check: (world: World) => void;
  readonly onPlan?: (made: BurstPlan, world: World) => void;
}

interface Task {
  readonly job: WorldJob;
  readonly node: string;
  readonly startedAt: number;
}

export interface Machine {
  readonly node: string;
  readonly hourly: number;
  readonly from: number;
  to?: number;
}

export interface World {
  now: number;
  readonly rows: Map<string, BurstRow>;
  readonly machines: Machine[];
  tasks: Task[];
  /** Nodes that are never heard of again, and since when. */
  readonly silentSince: Map<string, number>;
  done: number;
  step(ms: number): void;
  snapshot(): BurstSnapshot;
  pending(): PendingJob[];
}

class Crash extends Error {}

export function pretendWorld(input: WorldInput): World {
  const { policy, options, offers, own, jobs, random, silence = 0 } = input;
  const left = new Map(jobs.map((job) => [job.job, job.count]));
  const waitingSince = new Map(jobs.map((job) => [job.job, job.submittedAt]));
  const idleSince = new Map<string, number>();
  /** How long each burst takes from its launch to the last node's joining, and to its end. */
  const pace = new Map<string, number>();
  let completedAt = input.start;
  const world: World = {
    now: input.start,
    rows: new Map(),
    machines: [],
    tasks: [],
    silentSince: new Map(),
    done: 0,
    step,
    snapshot,
    pending,
  };

  function act(change: () => void): void {
    if (random() < input.crashes && world.now - completedAt < options.reactionMs / 2) throw new Crash();
    change();
    input.check(world);
  }

  function move(id: string, event: BurstEvent): void {
    const row = world.rows.get(id);
    if (row !== undefined) act(() => world.rows.set(id, advance(row, event, world.now)));
  }

  function step(ms: number): void {
    world.now += ms;
    finishTasks();
    fallSilent();
    input.check(world);
    try {
      assign();
      propose();
      burster();
      assign();
      completedAt = world.now;
    } catch (error) {
      if (!(error instanceof Crash)) throw error;
    }
  }

  function finishTasks(): void {
    const ended = world.tasks.filter(({ job, startedAt }) => job.runMs !== undefined && world.now - startedAt >= job.runMs);
    world.tasks = world.tasks.filter((task) => !ended.includes(task));
    world.done += ended.length;
  }

  function fallSilent(): void {
    for (const { state, joined } of world.rows.values()) {
      if (silence === 0 || (state !== "live" && state !== "draining")) continue;
      for (const node of Object.keys(joined)) {
        if (world.silentSince.has(node) || random() >= silence) continue;
        world.silentSince.set(node, world.now);
        evict([node]);
      }
    }
  }

  function assign(): void {
    for (const { job: id, node } of place(snapshot(), pending(), world.now).placements) {
      const job = jobs.find((one) => one.job === id);
      if (job === undefined) continue;
      left.set(id, (left.get(id) ?? 0) - 1);
      world.tasks.push({ job, node, startedAt: world.now });
    }
    for (const { name, tasks = 0 } of snapshot().nodes) {
      if (tasks > 0) idleSince.delete(name);
      else if (!idleSince.has(name)) idleSince.set(name, world.now);
    }
    for (const row of world.rows.values()) {
      if (row.state === "live" && row.usedAt === undefined && row.nodes.some((id) => tasksOn(id).length > 0)) move(row.id, { type: "use" });
    }
  }

  function propose(): void {
    const ledger = [...world.rows.values()];
    const made = plan({ snapshot: snapshot(), pending: pending(), policy, offers, ledger, now: world.now }, options);
    input.onPlan?.(made, world);
    for (const decision of made.retire) move(decision.burst, eventOf(decision, world.now));
    for (const launch of made.launch) act(() => world.rows.set(launch.burst, intentRow(launch, { policy, options, now: world.now })));
  }

  function burster(): void {
    for (const [id, row] of world.rows) {
      const existing = world.machines.filter(({ node, to }) => row.nodes.includes(node) && to === undefined);
      const paceOf = pace.get(id) ?? random();
      pace.set(id, paceOf);
      if (row.state === "intent") {
        const reason = launchRefusal(row, { rows: [...world.rows.values()], offers, policy, options, now: world.now, paused: undefined });
        move(id, reason === undefined ? { type: "launch" } : { type: "withdraw", reason });
      } else if (row.state === "launching") {
        for (const node of row.nodes) {
          if (world.machines.some((one) => one.node === node)) continue;
          act(() => world.machines.push({ node, hourly: row.hourly / row.nodes.length, from: world.now }));
        }
        const ageMs = world.now - (row.at.launching ?? world.now);
        if (ageMs >= row.launchTimeoutMs) move(id, { type: "fail", reason: "it took too long" });
        else if (ageMs >= paceOf * input.slowest * row.launchTimeoutMs) move(id, { type: "launched" });
      } else if (row.state === "live") {
        for (const node of row.nodes) if (!(node in row.joined)) move(id, { type: "join", node });
      } else if (row.state === "retiring") {
        if (world.now - (row.at.retiring ?? world.now) < paceOf * row.teardownMs * 0.5) continue;
        evict(row.nodes);
        for (const one of existing) {
          act(() => {
            one.to = world.now;
          });
        }
        move(id, { type: "gone" });
      }
    }
  }

  function evict(nodes: readonly string[]): void {
    const evicted = world.tasks.filter((task) => nodes.includes(task.node));
    world.tasks = world.tasks.filter((task) => !evicted.includes(task));
    for (const { job } of evicted) {
      left.set(job.job, (left.get(job.job) ?? 0) + 1);
      waitingSince.set(job.job, world.now);
    }
  }

  function tasksOn(node: string): Task[] {
    return world.tasks.filter((task) => task.node === node);
  }

  function nodeOf(name: string, pool: string, capacity: Resources): BurstSnapshotNode {
    const tasks = tasksOn(name);
    const free = tasks.reduce((rest, { job }) => subtractResources(rest, job.resources), capacity);
    return { name, pool, capacity, free, tasks: tasks.length };
  }

  function snapshot(): BurstSnapshot {
    const bought = [...world.rows.values()].flatMap((row) =>
      row.state === "gone"
        ? []
        : Object.keys(row.joined).map((id): BurstSnapshotNode => {
            const tasks = tasksOn(id);
            const topPriority = tasks.length === 0 ? undefined : Math.max(...tasks.map(({ job }) => job.priority));
            const silentSince = world.silentSince.get(id);
            const away = silentSince !== undefined ? { unavailable: "lost" } : row.state === "live" ? {} : { unavailable: drainingReason };
            const contact = silentSince === undefined ? "ready" : "silent";
            const facts = { contact, silentSince, idleSince: idleSince.get(id), topPriority } as const;
            return { ...nodeOf(id, row.burstPool, row.shape), ...away, burst: facts };
          }),
    );
    return { nodes: [...own.map(({ name, capacity }) => nodeOf(name, "own", capacity)), ...bought] };
  }

  function pending(): PendingJob[] {
    return jobs.flatMap(({ job, seq, priority, resources, submittedAt }) => {
      const count = submittedAt <= world.now ? (left.get(job) ?? 0) : 0;
      if (count === 0) return [];
      const indexes = Array.from({ length: count }, (_, index) => index);
      return [{ job, seq, priority, resources, indexes, waitingSince: waitingSince.get(job) ?? submittedAt }];
    });
  }

  return world;
}

/** What was really billed from `since` on, by the machines' own lives, as a provider would count it: USD. */
export function billed(machines: readonly Machine[], since: number, now: number): number {
  return machines.reduce((sum, { hourly, from, to }) => sum + hourly * (Math.max(0, (to ?? now) - Math.max(from, since)) / 3_600_000), 0);
}

/** What all machines that exist cost: USD/hour. */
export function billedRate(machines: readonly Machine[]): number {
  return machines.reduce((sum, { hourly, to }) => sum + (to === undefined ? hourly : 0), 0);
}

/** Numbers from 0 to 1, the same for the same seed (mulberry32). */
export function randomOf(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
