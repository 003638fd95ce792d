/** For tests: rows, offers and views of bursts with defaults, as a master tells them. */
import type { BurstView } from "../../agent/contract/burst-api.ts";
import type { BurstRow } from "../../agent/contract/ledger.ts";
import type { NodeView } from "../../agent/contract/node.ts";
import type { Offer } from "../../agent/contract/plan.ts";

const hourMs = 3_600_000;
const shape = { cpu: 2000, memory: 4096, disk: 0, gpus: [] };

/** Live since an hour, at $0.10/h, bought for one task of train-41. */
export function aRow(fields: Partial<BurstRow> = {}): BurstRow {
  const now = Date.now();
  return {
    id: "b-tm4k2c",
    state: "live",
    nodes: ["b-tm4k2c-1"],
    offer: "local/small",
    burstPool: "overflow",
    provider: "local",
    market: "on-demand",
    shape,
    hourly: 0.1,
    committed: 0.01,
    rule: 1,
    priority: 50,
    for: [{ job: "train-41", tasks: 1 }],
    reason: "train-41 waits for 30 s",
    why: "its machines are there",
    launchTimeoutMs: 30_000,
    teardownMs: 10_000,
    expiresAt: now + hourMs,
    at: { intent: now - hourMs, launching: now - hourMs, live: now - hourMs },
    joined: { "b-tm4k2c-1": now - hourMs },
    seconds: {},
    ...fields,
  };
}

export function anOffer(fields: Partial<Offer> = {}): Offer {
  return {
    id: "local/small",
    burstPool: "overflow",
    provider: "local",
    market: "on-demand",
    shape,
    price: { machine: 0.1, disk: 0, address: 0 },
    pretend: true,
    launchTimeoutMs: 30_000,
    teardownMs: 10_000,
    expectedSeconds: {},
    ...fields,
  };
}

/** A policy with caps, a burster that was heard a moment ago, no rows. */
export function aView(fields: Partial<BurstView> = {}): BurstView {
  const now = Date.now();
  return {
    ledger: { id: "l-1", madeAt: 0 },
    policy: {
      rules: [{ pendingForMs: 30_000, priorityAtLeast: 0, use: "cheapest", maxParallel: 4, perBurst: 1 }],
      maxNodes: 4,
      budget: { perHour: 0.4, perDay: 5, zone: "UTC" },
      retire: { idleForMs: 10_000, minimumLifeMs: 0, drainDeadlineMs: 60_000 },
      retryAfterMs: 300_000,
      expireAfterMs: 1_800_000,
    },
    burster: { holder: "h-1", host: "laptop", pid: 4711, version: "0.3.0", seenAt: now - 2000, silent: false },
    offers: [anOffer()],
    rows: [],
    budget: {
      windows: [
        { window: "hour", since: now, cap: 0.4, spent: 0.1, committed: 0.1, warning: false },
        { window: "day", since: now - 2 * hourMs, cap: 5, spent: 4.1, committed: 4.2, warning: true },
        { window: "month", since: now - 48 * hourMs, spent: 7.5, committed: 7.6, warning: false },
      ],
      leaked: { bursts: [], hourly: 0, spent: 0 },
    },
    ...fields,
  };
}

/** A ready node of the rack that has nothing to do. */
export function aNodeView(fields: Partial<NodeView> = {}): NodeView {
  return {
    name: "rack-17",
    state: "ready",
    scheduling: "open",
    stateReason: "its agent has joined",
    stateSince: 0,
    declaration: { pool: "rack", provider: "ssh", providerId: "h", labels: {}, attributes: {}, price: { hourly: 0.09 } },
    capacity: shape,
    used: { cpu: 0, memory: 0, disk: 0, gpus: [] },
    tasks: 0,
    ...fields,
  };
}
