import { expect, test } from "vitest";
import type { Attempt, JobDetail } from "../../agent/contract/workload.ts";
import { aJob } from "../testing/fake-master.ts";
import { nodeTotals, withoutOneSuccess } from "./node-totals.ts";

const attempt = (node: string, startedAt: number, finishedAt: number, state: Attempt["state"] = "succeeded", number = 1): Attempt => ({
  attempt: number,
  taskId: `j.0.${number}`,
  node,
  state,
  assignedAt: startedAt,
  startedAt,
  finishedAt,
});
const jobOf = (id: string, ...attempts: Attempt[]): JobDetail =>
  aJob({ id, state: "succeeded", indexes: [{ index: 0, state: "succeeded", attempts }] });

test("what ran at the same time on a node is added up, and what followed is not", () => {
  const [m1] = nodeTotals([
    jobOf("a", attempt("m1", 0, 1000)),
    jobOf("b", attempt("m1", 500, 1500)),
    jobOf("c", attempt("m1", 1500, 2500)),
  ]);
  expect(m1).toEqual({ node: "m1", succeeded: 3, otherAttempts: 0, cpuSeconds: 3, peakCpu: 2000, peakMemory: 512 });
});

test("each node is counted for itself, with the attempts that did not succeed", () => {
  const totals = nodeTotals([jobOf("a", attempt("m2", 0, 10, "lost"), attempt("m1", 20, 30, "succeeded", 2))]);
  expect(totals.map(({ node, succeeded, otherAttempts }) => [node, succeeded, otherAttempts])).toEqual([
    ["m1", 1, 0],
    ["m2", 0, 1],
  ]);
});

test("a job with no recorded success, or with two, is named", () => {
  const details = [
    jobOf("one", attempt("m1", 0, 1)),
    jobOf("none", attempt("m1", 0, 1, "failed")),
    jobOf("two", attempt("m1", 0, 1), attempt("m2", 0, 1, "succeeded", 2)),
  ];
  expect(withoutOneSuccess(details)).toEqual(["none", "two"]);
});
