import { expect, test } from "vitest";
import { aNodeView } from "../testing/bursts.ts";
import { removalText } from "./nodes-remove.ts";

const machine = {
  name: "rack-17",
  pool: "rack",
  provider: "ssh",
  providerId: "ssh://192.0.2.17:22",
  host: "192.0.2.17",
  port: 22,
  user: "ops",
  credential: { kind: "agent" },
  labels: {},
  attributes: {},
} as const;
const plan = {
  name: "rack-17",
  where: "machine rack-17 (192.0.2.17:22)",
  node: aNodeView({ tasks: 3 }),
  machine,
  absent: [],
  next: "take it out of stacks/environment/Pulumi.prod.yaml line 14, or the next up adds it again",
  saved: 0.09,
  later: undefined,
  drainMs: 300_000,
  forget: false,
};

test("what a removal does and costs is said before it is done", () => {
  const text = removalText(plan, "prod");
  expect(text).toContain("machine rack-17 (192.0.2.17:22) is to leave the pool of prod");
  expect(text).toContain("3 tasks on it; they have 5 min to end, else it is not removed (--force stops them)");
  expect(text).toContain("$0.09/hour less");
  expect(text).toContain("it stays yours; everything of Spillway is taken off it");
});

test("by force its tasks are given up, and one that is out of reach keeps what is installed on it", () => {
  expect(removalText({ ...plan, drainMs: 0 }, "prod")).toContain("3 tasks on it, given up now and tried again elsewhere");
  const silent = removalText(
    { ...plan, node: aNodeView({ state: "lost", stateReason: "no connection for 9 min" }), forget: true, later: "rm" },
    "prod",
  );
  expect(silent).toContain("lost: no connection for 9 min");
  expect(silent).toContain("what is installed on it stays there until you remove it");
});

test("a node that only the master knows loses its record", () => {
  expect(removalText({ ...plan, machine: undefined, where: "node rack-17" }, "prod")).toContain("only the master's record of it goes");
});
