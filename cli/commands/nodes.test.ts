import { expect, test } from "vitest";
import type { NodeView } from "../../agent/contract/node.ts";
import { nodeTable } from "./nodes.ts";

const resources = { cpu: 4000, memory: 8192, disk: 0, gpus: [] };
const node: NodeView = {
  name: "b-1-1",
  state: "ready",
  scheduling: "cordoned",
  schedulingReason: "its cloud takes the machine at 08:22:00 UTC: EC2 takes this spot instance back (terminate)",
  notice: { kind: "reclaim", at: 100_000, text: "EC2 takes this spot instance back (terminate)" },
  stateReason: "its agent has joined",
  stateSince: 0,
  declaration: { pool: "aws", provider: "aws", providerId: "i-0", labels: {}, attributes: {} },
  capacity: resources,
  used: resources,
  tasks: 0,
};

test("the list says of a node that its cloud takes away when it goes and how soon that is", () => {
  const row = nodeTable([node], 40_000).split("\n").at(-1);
  expect(row).toContain("cordoned");
  expect(row).toContain("its cloud takes the machine at 08:22:00 UTC: EC2 takes this spot instance back (terminate)");
  expect(row).toContain("goes in 60 s; its cloud");
});

test("a machine that the cloud has taken by now is not told to go in the past", () => {
  expect(nodeTable([node], 101_000)).not.toContain("goes in");
});

test("an advice has no hour", () => {
  const advice = { kind: "rebalance" as const, at: 100_000, text: "EC2 may take it" };
  expect(nodeTable([{ ...node, notice: advice, schedulingReason: advice.text }], 40_000)).not.toContain("goes in");
});
