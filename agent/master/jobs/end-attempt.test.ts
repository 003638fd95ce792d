import { expect, test } from "vitest";
import type { Attempt } from "../../contract/workload.ts";
import { maxValueBytes } from "../state/store.ts";
import { boundedAttempts } from "./end-attempt.ts";

test("the longest story of an index fits in a record, and its newest end is whole", () => {
  const reason = "\u0001".repeat(500);
  const attempt = (n: number, more: Partial<Attempt>): Attempt => ({
    attempt: n,
    taskId: `${"j".repeat(63)}.9999.${n}`,
    node: "n".repeat(63),
    state: "failed",
    assignedAt: Date.now(),
    startedAt: Date.now(),
    finishedAt: Date.now(),
    exitCode: 255,
    reason,
    ...more,
  });
  let attempts: Attempt[] = [];
  for (let n = 1; n <= 500; n += 1) {
    // 101 failures and 20 losses end any job; faults of nodes may come without end.
    const more: Partial<Attempt> = n <= 101 ? {} : n <= 121 ? { state: "lost" } : { state: "lost", fault: "node" };
    attempts = boundedAttempts([...attempts, attempt(n, more)]);
  }
  expect(Buffer.byteLength(JSON.stringify(attempts))).toBeLessThan(maxValueBytes);
  expect(attempts.filter(({ fault }) => fault === undefined)).toHaveLength(121);
  expect(attempts.at(-1)).toMatchObject({ attempt: 500, reason });
});
