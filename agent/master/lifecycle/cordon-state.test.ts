import { describe, expect, test } from "vitest";
import type { BurstRow } from "../../contract/ledger.ts";
import type { PoolNode } from "../pool/pool.ts";
import { evictionOf, isDrained, schedulingOf, unavailability } from "./cordon-state.ts";

type Cordon = PoolNode["record"]["cordon"];

function aNode(cordon: Cordon, tasks = 0): Pick<PoolNode, "record" | "tasks"> {
  const declaration = { pool: "rack", provider: "local", providerId: "m1", labels: {}, attributes: {} };
  const record = { name: "m1", declaration, declaredAt: 0, keys: [], ...(cordon === undefined ? {} : { cordon }) };
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

describe("when its tasks are evicted", () => {
  test("never, while nothing is drained", () => {
    expect(evictionOf(aNode({ at: 1, reason: "" }, 1), aRow({ state: "live" }))).toBeUndefined();
  });

  test("at the drain's deadline, or at once when the burst ends", () => {
    expect(evictionOf(aNode({ at: 1, reason: "new disk", drain: { deadline: 500 } }, 1), undefined)).toEqual({
      at: 500,
      why: "its node is drained by the operator: new disk",
    });
    expect(evictionOf(aNode(undefined, 1), aRow({ state: "retiring", at: { retiring: 7 }, why: "stopped" }))).toEqual({
      at: 7,
      why: "burst b-1 ends (stopped)",
    });
  });

  test("of two deadlines the nearer counts", () => {
    const node = aNode({ at: 1, reason: "", drain: { deadline: 500 } }, 1);
    expect(evictionOf(node, aRow({ state: "draining", drain: { cause: "budget", deadline: 300 } }))?.at).toBe(300);
    expect(evictionOf(node, aRow({ state: "draining", drain: { cause: "budget", deadline: 900 } }))?.at).toBe(500);
  });
});
