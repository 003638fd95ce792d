import { expect, it } from "vitest";
import { type JobDetail, jobDetail } from "../../../agent/contract/workload.ts";
import { lostAttempts, nextPulse, noPulse, type Pulse } from "./health.ts";
import { aNode } from "./testing/builders.ts";

/** What is seen at each of these moments. */
function pulseAfter(seen: readonly Parameters<typeof aNode>[1][]): Pulse {
  return seen.reduce<Pulse>((pulse, over) => nextPulse(pulse, aNode("n", { bundle: "new", ...over }), "new"), noPulse);
}

it("counts the heartbeats after the first word of the new agent", () => {
  expect(pulseAfter([1, 2, 2, 3, 4].map((lastHeartbeatAt) => ({ lastHeartbeatAt })))).toMatchObject({ beats: 3 });
});

it("begins anew when the agent connects once more: one that crashes and comes back is not well", () => {
  const seen = [1, 2, 3].map((at) => ({ lastHeartbeatAt: at, agentSince: 1 }));
  expect(pulseAfter([...seen, { lastHeartbeatAt: 4, agentSince: 4 }])).toMatchObject({ beats: 0 });
});

it("counts nothing of an agent of the bundle before, nor of a node that is not ready", () => {
  expect(nextPulse(noPulse, aNode("n", { bundle: "old" }), "new")).toEqual({
    beats: 0,
    missing: "its agent has not joined with the bundle new",
  });
  const suspect = { state: "suspect", stateReason: "no heartbeat for 5 s" } as const;
  expect(pulseAfter([{ lastHeartbeatAt: 1 }, { lastHeartbeatAt: 2 }, suspect])).toEqual({
    beats: 0,
    missing: "it is suspect (no heartbeat for 5 s)",
  });
  expect(nextPulse(noPulse, undefined, "new").missing).toMatch(/does not know it/);
});

function aJob(states: readonly string[]): JobDetail {
  return jobDetail.parse({
    id: "job",
    spec: { command: ["true"], resources: { cpu: 1, memory: 1 } },
    state: "running",
    reason: "",
    submittedAt: 0,
    counts: { pending: 0, active: 0, succeeded: 0, failed: 0, cancelled: 0 },
    indexes: states.map((state, index) => ({
      index,
      state: "active",
      attempts: [{ attempt: 1, taskId: `job.${index}.1`, node: "n", state, assignedAt: 0 }],
    })),
  });
}

it("takes a task that was given up for lost, and one that has ended by itself for none", () => {
  const jobs = new Map([["job", aJob(["running", "succeeded", "failed", "cancelled", "lost"])]]);
  const ids = [0, 1, 2, 3, 4].map((index) => `job.${index}.1`);
  expect(lostAttempts(ids, jobs)).toEqual(["job.4.1"]);
  expect(lostAttempts(["job.9.1", "forgotten.0.1"], jobs)).toEqual(["job.9.1"]);
});
