import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { BurstEvent } from "../../contract/ledger.ts";
import type { NodeNotice } from "../../contract/node.ts";
import { jobSpec } from "../../contract/workload.ts";
import { advance } from "../burst/advance.ts";
import { intentRow } from "../burst/intent.ts";
import { record } from "../burst/ledger.ts";
import { planDefaults } from "../burst/options.ts";
import { anOffer, aPolicy } from "../burst/testing/builders.ts";
import { submitJob } from "../jobs/submit.ts";
import { setIndex } from "../pool/pool.ts";
import type { ManualClock } from "../testing/manual-clock.ts";
import { type TestLeader, testLeader } from "../testing/test-leader.ts";
import { aDeclaration } from "../testing/test-master.ts";
import { declareNode } from "./nodes.ts";
import { hearNotice } from "./notice.ts";
import { retireReclaimed } from "./notice-burst.ts";

let bench: TestLeader;
beforeEach(async () => {
  bench = await testLeader();
});
afterEach(() => bench.end());

const live: BurstEvent[] = [{ type: "launch" }, { type: "launched" }];
const row = () => bench.leader.pool.bursts.get("b-1");

/** A burst of two nodes, which these events have happened to. */
async function aBurst(...events: readonly BurstEvent[]): Promise<void> {
  const { leader } = bench;
  const now = leader.clock.now();
  const nodes = ["b-1-1", "b-1-2"];
  const launch = {
    burst: "b-1",
    nodes,
    offer: anOffer("cloud/small", 0.1),
    hourly: 0.2,
    rule: 1,
    priority: 50,
    for: [{ job: "train", tasks: 2 }],
    reason: "train waits",
    expiresAt: now + 1_800_000,
  };
  let made = intentRow(launch, { policy: aPolicy(), options: planDefaults, now });
  for (const event of events) made = advance(made, event, now);
  await record(leader, [made]);
  for (const name of nodes) (await declareNode(leader, name, aDeclaration({ pool: "cloud", burst: "b-1" }))).state = "ready";
}

async function hear(name: string, kind: NodeNotice["kind"] = "reclaim"): Promise<void> {
  const { leader } = bench;
  const now = leader.clock.now();
  hearNotice(leader, name, { type: "heartbeat", sentAt: now, notice: { kind, at: now + 120_000, text: "EC2 takes it" } });
  await leader.writer.settled();
  retireReclaimed(leader);
}

describe("a burst whose machines the cloud takes away", () => {
  test("is given back when none of its nodes is left, and its offer rests", async () => {
    await aBurst(...live);
    await hear("b-1-1");
    expect(row()?.state).toBe("live");
    await hear("b-1-2");
    expect(row()).toMatchObject({
      state: "retiring",
      retired: "lost-machine",
      why: "all its nodes are taken away by the cloud: EC2 takes it",
    });
  });

  test("lives on when they are only advised to be left", async () => {
    await aBurst(...live);
    await hear("b-1-1", "rebalance");
    await hear("b-1-2", "rebalance");
    expect(row()?.state).toBe("live");
  });

  test("is left to its applier while it is being launched", async () => {
    await aBurst({ type: "launch" });
    await hear("b-1-1");
    await hear("b-1-2");
    expect(row()?.state).toBe("launching");
  });

  test("waits until its tasks have had their grace", async () => {
    await aBurst(...live);
    const { leader } = bench;
    const now = leader.clock.now();
    const spec = jobSpec.parse({ command: ["true"], resources: { cpu: 1000, memory: 1024 }, graceMs: 20_000, name: "train" });
    const { job } = await submitJob(leader, spec);
    const attempt = { attempt: 1, taskId: "train.0.1", node: "b-1-1", state: "running" as const, assignedAt: now };
    setIndex(leader.pool, job, 0, { state: "active", attempts: [attempt] }, now);
    await hear("b-1-1");
    await hear("b-1-2");
    expect(row()?.state).toBe("live");
    await (leader.clock as ManualClock).advance(20_000);
    retireReclaimed(leader);
    expect(row()?.state).toBe("retiring");
  });

  test("is left to the teardown while the environment closes", async () => {
    await aBurst(...live);
    bench.leader.pool.closing = { at: 0, reason: "destroy", graceMs: 0 };
    await hear("b-1-1");
    await hear("b-1-2");
    expect(row()?.state).toBe("live");
  });
});
