import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BurstEvent } from "../../contract/ledger.ts";
import { advance } from "../burst/advance.ts";
import { intentRow } from "../burst/intent.ts";
import { record } from "../burst/ledger.ts";
import { planDefaults } from "../burst/options.ts";
import { anOffer, aPolicy } from "../burst/testing/builders.ts";
import { takeSnapshot } from "../scheduler/snapshot.ts";
import { type TestLeader, testLeader } from "../testing/test-leader.ts";
import { aDeclaration } from "../testing/test-master.ts";
import { cordonNode, drainNode, uncordonNode } from "./cordon.ts";
import { declareNode } from "./nodes.ts";

let bench: TestLeader;
beforeEach(async () => {
  bench = await testLeader();
});
afterEach(() => bench.end());

/** A burst of one node, which these events have happened to. */
async function aBurst(...events: readonly BurstEvent[]): Promise<void> {
  const { leader } = bench;
  const now = leader.clock.now();
  const launch = {
    burst: "b-1",
    nodes: ["b-1-1"],
    offer: anOffer("cloud/small", 0.1),
    hourly: 0.1,
    rule: 1,
    priority: 50,
    for: [{ job: "train", tasks: 1 }],
    reason: "train waits",
    expiresAt: now + 1_800_000,
  };
  let row = intentRow(launch, { policy: aPolicy(), options: planDefaults, now });
  for (const event of events) row = advance(row, event, now);
  await record(leader, [row]);
  const node = await declareNode(leader, "b-1-1", aDeclaration({ pool: "cloud", burst: "b-1" }));
  node.state = "ready";
}

const row = () => bench.leader.pool.bursts.get("b-1");
const live: BurstEvent[] = [{ type: "launch" }, { type: "launched" }];

describe("a node of a burst", () => {
  test("is drained with its burst, by the operator's word, and again takes tasks when that is taken back", async () => {
    await aBurst(...live);
    await drainNode(bench.leader, "b-1-1", { reason: "noisy", deadlineMs: 60_000 });
    expect(row()).toMatchObject({ state: "draining", drain: { cause: "operator" }, why: "the operator drains its node b-1-1 (noisy)" });
    await uncordonNode(bench.leader, "b-1-1");
    expect(row()).toMatchObject({ state: "live" });
    expect(row()?.drain).toBeUndefined();
  });

  test("is cordoned by itself: its burst lives on", async () => {
    await aBurst(...live);
    await cordonNode(bench.leader, "b-1-1", { reason: "" });
    expect(row()?.state).toBe("live");
    expect(takeSnapshot(bench.leader).nodes).toMatchObject([{ name: "b-1-1", unavailable: expect.any(String) }]);
    expect(bench.leader.pool.nodes.get("b-1-1")?.record.cordon).toBeDefined();
  });

  test("can't be drained before it is live, nor kept when it is being destroyed", async () => {
    await aBurst({ type: "launch" });
    await expect(drainNode(bench.leader, "b-1-1", { reason: "", deadlineMs: 0 })).rejects.toMatchObject({ code: "ledger-refused" });
    await aBurst(...live, { type: "retire", reason: "stopped" });
    await expect(uncordonNode(bench.leader, "b-1-1")).rejects.toMatchObject({
      code: "ledger-refused",
      hint: expect.stringContaining("can't be undone"),
    });
  });
});
