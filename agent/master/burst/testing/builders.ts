/** Policies, offers, jobs, nodes and rows with defaults, for tests. */
import type { BurstEvent, BurstRow } from "../../../contract/ledger.ts";
import type { LaunchDecision, Offer } from "../../../contract/plan.ts";
import type { BurstPolicy } from "../../../contract/policy.ts";
import type { Resources } from "../../../contract/resources.ts";
import type { PendingJob } from "../../scheduler/place.ts";
import { advance } from "../advance.ts";
import { intentRow } from "../intent.ts";
import { planDefaults } from "../options.ts";
import type { BurstNodeFacts, BurstSnapshotNode } from "../situation.ts";

export const hourMs = 3_600_000;
/** 2026-03-10T12:00:00Z */
export const noon = Date.UTC(2026, 2, 10, 12);

export function size(cpu: number, memory = cpu): Resources {
  return { cpu, memory, disk: 0, gpus: [] };
}

export function aPolicy(fields: Partial<BurstPolicy> = {}): BurstPolicy {
  return {
    rules: [{ pendingForMs: 30_000, priorityAtLeast: 0, use: "cheapest", maxParallel: 100, perBurst: 1 }],
    maxNodes: 100,
    budget: { zone: "UTC" },
    retire: { idleForMs: 60_000, minimumLifeMs: 60_000, drainDeadlineMs: 120_000 },
    retryAfterMs: 300_000,
    expireAfterMs: 1_800_000,
    ...fields,
  };
}

export function anOffer(id: string, hourly: number, fields: Partial<Offer> = {}): Offer {
  return {
    id,
    burstPool: "cloud",
    provider: "local",
    market: "on-demand",
    shape: size(4000),
    price: { machine: hourly, disk: 0, address: 0 },
    pretend: true,
    launchTimeoutMs: 60_000,
    teardownMs: 30_000,
    expectedSeconds: {},
    ...fields,
  };
}

export function aPending(job: string, fields: Partial<PendingJob> = {}): PendingJob {
  return { job, priority: 50, seq: 1, resources: size(1000), indexes: [0], waitingSince: noon - 60_000, ...fields };
}

export function aNode(name: string, fields: Partial<BurstSnapshotNode> = {}): BurstSnapshotNode {
  const capacity = fields.capacity ?? size(4000);
  return { name, pool: "rack", capacity, free: capacity, ...fields };
}

/** A node of a row that has joined and has nothing to do. */
export function aBurstNode(name: string, facts: Partial<BurstNodeFacts> = {}, fields: Partial<BurstSnapshotNode> = {}): BurstSnapshotNode {
  return aNode(name, {
    pool: "cloud",
    ...fields,
    burst: { contact: "ready", silentSince: undefined, idleSince: noon, topPriority: undefined, ...facts },
  });
}

export function aLaunch(burst: string, offer: Offer, fields: Partial<LaunchDecision> = {}): LaunchDecision {
  return {
    burst,
    nodes: [`${burst}-1`],
    offer,
    hourly: offer.price.machine,
    rule: 1,
    priority: 50,
    for: [{ job: "job", tasks: 1 }],
    reason: "a task waits",
    expiresAt: noon + hourMs,
    ...fields,
  };
}

interface RowFields extends Partial<LaunchDecision> {
  readonly offer?: Offer;
  readonly policy?: BurstPolicy;
  /** ms since the epoch: when it was decided, and when each event came that has no time of its own. */
  readonly at?: number;
}

/** A row after some events, all at the same time unless an event comes with its own. */
export function aRow(id: string, events: readonly (BurstEvent | readonly [BurstEvent, number])[], fields: RowFields = {}): BurstRow {
  const { offer = anOffer("small", 1), policy = aPolicy(), at = noon, ...launch } = fields;
  let row = intentRow(aLaunch(id, offer, launch), { policy, options: planDefaults, now: at });
  for (const entry of events) {
    const [event, time] = isTimed(entry) ? entry : [entry, at];
    row = advance(row, event, time);
  }
  return row;
}

function isTimed(entry: BurstEvent | readonly [BurstEvent, number]): entry is readonly [BurstEvent, number] {
  return Array.isArray(entry);
}

export const launch: BurstEvent = { type: "launch" };
export const launched: BurstEvent = { type: "launched" };
export const live: readonly BurstEvent[] = [launch, launched];
