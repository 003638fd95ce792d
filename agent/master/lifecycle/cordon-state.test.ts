import { describe, expect, test } from "vitest";
import type { BurstRow } from "../../contract/ledger.ts";
import type { PoolNode } from "../pool/pool.ts";
import { evictionsOf, isDrained, schedulingOf, unavailability } from "./cordon-state.ts";

type Cordon = PoolNode["record"]["cordon"];
type Notice = NonNullable<PoolNode["record"]["notice"]>;

const reclaim: Notice = { kind: "reclaim", at: 120_400, text: "EC2 takes it", saidAt: 120_400, heardAt: 400, stoppedAt: 10_400 };

function aNode(cordon: Cordon, tasks = 0, notice?: Notice): Pick<PoolNode, "record" | "tasks"> {
  const declaration = { pool: "rack", provider: "local", providerId: "m1", labels: {}, attributes: {} };
  const record = {
    name: "m1",
    declaration,
    declaredAt: 0,
    keys: [],
    ...(cordon === undefined ? {} : { cordon }),
    ...(notice === undefined ? {} : { notice }),
  };
  return { record, tasks: new Set(Array.from({ length: tasks }, (_, n) => `job.${n}.1`)) };
}

function aRow(fields: Partial<BurstRow>): BurstRow {
  return {
    id: "b-1",
    state: "live",
    nodes: ["m1"],
    offer: "local/small",
    burstPool: "cloud",
    provider: "local",
    market: "on-demand",
    shape: { cpu: 1000, memory: 1024, disk: 0, gpus: [] },
    hourly: 0.1,
    committed: 0.1,
    rule: 1,
    priority: 50,
    for: [{ job: "train", tasks: 1 }],
    reason: "train waits",
    why: "it is idle",
    launchTimeoutMs: 1000,
    teardownMs: 1000,
    expiresAt: 0,
    at: {},
    joined: {},
    seconds: {},
    ...fields,
  };
}

describe("whether a node gets tasks", () => {
  test("it does, unless somebody says otherwise", () => {
    expect(schedulingOf(aNode(undefined), undefined)).toEqual({ scheduling: "open" });
    expect(unavailability(aNode(undefined), aRow({ state: "live" }))).toBeUndefined();
  });

  test("a cordoned node is told with the operator's reason", () => {
    const node = aNode({ at: 1, reason: "new disk" });
    expect(schedulingOf(node, undefined)).toEqual({ scheduling: "cordoned", reason: "cordoned by the operator: new disk" });
    expect(unavailability(node, undefined)).toBe("cordoned");
  });

  test("a drain lasts until the last task has ended", () => {
    const cordon = { at: 1, reason: "", drain: { deadline: 500 } };
    expect(schedulingOf(aNode(cordon, 2), undefined)).toMatchObject({ scheduling: "draining", deadline: 500 });
    expect(schedulingOf(aNode(cordon), undefined).scheduling).toBe("drained");
    expect(isDrained(aNode(cordon))).toBe(true);
    expect(unavailability(aNode(cordon, 1), undefined)).toBe("draining");
  });

  test("a node of a burst goes with its burst", () => {
    const draining = aRow({ state: "draining", drain: { cause: "idle", deadline: 900 } });
    expect(schedulingOf(aNode(undefined, 1), draining)).toEqual({
      scheduling: "draining",
      reason: "burst b-1 is draining: it is idle",
      deadline: 900,
    });
    expect(unavailability(aNode(undefined), draining)).toBe("draining");
    for (const state of ["retiring", "leaked", "gone"] as const) expect(unavailability(aNode(undefined), aRow({ state }))).toBe("draining");
  });

  test("a node that is cordoned besides is told as cordoned, since ending the drain would not open it", () => {
    expect(unavailability(aNode({ at: 1, reason: "" }), aRow({ state: "draining", drain: { cause: "idle", deadline: 900 } }))).toBe(
      "cordoned",
    );
  });
});

describe("a node that its cloud takes away", () => {
  test("gets no task, for that reason first: neither the operator nor its burst could open it", () => {
    const draining = aRow({ state: "draining", drain: { cause: "idle", deadline: 900 } });
    expect(unavailability(aNode({ at: 1, reason: "" }, 0, reclaim), draining)).toBe("reclaimed by its cloud");
    expect(schedulingOf(aNode(undefined, 0, reclaim), undefined)).toEqual({
      scheduling: "cordoned",
      reason: "its cloud takes the machine at 00:02:00 UTC: EC2 takes it",
    });
    expect(schedulingOf(aNode(undefined, 1, reclaim), draining)).toMatchObject({
      scheduling: "draining",
      deadline: 900,
      reason: expect.stringContaining("its cloud takes the machine at 00:02:00 UTC: EC2 takes it; burst b-1 is draining"),
    });
  });

  test("loses its tasks from the notice on, also when the master was away meanwhile", () => {
    expect(evictionsOf(aNode({ at: 1, reason: "", drain: { deadline: 90_000 } }, 1, reclaim), undefined)).toEqual([
      { at: 400, why: "its node is taken away by its cloud: EC2 takes it", byCloud: true },
      { at: 90_000, why: "its node is drained by the operator" },
    ]);
  });

  test("keeps them when it only should be left, and takes new ones when the operator says so", () => {
    const advice: Notice = { ...reclaim, kind: "rebalance" };
    expect(evictionsOf(aNode(undefined, 1, advice), undefined)).toEqual([]);
    expect(unavailability(aNode(undefined, 1, advice), undefined)).toBe("cordoned by its cloud's advice");
    expect(unavailability(aNode(undefined, 1, { ...advice, overruled: true }), undefined)).toBeUndefined();
  });
});

describe("when its tasks are evicted", () => {
  test("never, while nothing is drained", () => {
    expect(evictionsOf(aNode({ at: 1, reason: "" }, 1), aRow({ state: "live" }))).toEqual([]);
  });

  test("at the drain's deadline, or at once when the burst ends", () => {
    expect(evictionsOf(aNode({ at: 1, reason: "new disk", drain: { deadline: 500 } }, 1), undefined)).toEqual([
      { at: 500, why: "its node is drained by the operator: new disk" },
    ]);
    expect(evictionsOf(aNode(undefined, 1), aRow({ state: "retiring", at: { retiring: 7 }, why: "stopped" }))).toEqual([
      { at: 7, why: "burst b-1 ends (stopped)" },
    ]);
  });

  test("of two deadlines the nearer comes first", () => {
    const node = aNode({ at: 1, reason: "", drain: { deadline: 500 } }, 1);
    const times = (deadline: number) =>
      evictionsOf(node, aRow({ state: "draining", drain: { cause: "budget", deadline } })).map(({ at }) => at);
    expect(times(300)).toEqual([300, 500]);
    expect(times(900)).toEqual([500, 900]);
  });
});
