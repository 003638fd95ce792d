import { describe, expect, test } from "vitest";
import { type Attempt, type JobSpec, jobSpec } from "../../contract/workload.ts";
import { afterAttempt, backOffMs, maxLostAttempts } from "./retry.ts";

const spec = (retries: number): JobSpec => jobSpec.parse({ command: ["true"], resources: { cpu: 1, memory: 1 }, retries });
const attempts = (...states: Attempt["state"][]): Attempt[] =>
  states.map((state, n) => ({ attempt: n + 1, taskId: `j.0.${n + 1}`, node: "m1", state, assignedAt: 0 }));

describe("afterAttempt", () => {
  test("a success is final, even of a cancelled job", () => {
    expect(afterAttempt(spec(0), attempts("failed", "succeeded"), true).state).toBe("succeeded");
  });

  test("a failure is tried again while there are retries", () => {
    expect(afterAttempt(spec(1), attempts("failed"), false)).toEqual({ state: "pending", because: "to be tried again (retry 1 of 1)" });
    expect(afterAttempt(spec(1), attempts("failed", "failed"), false).state).toBe("failed");
    expect(afterAttempt(spec(0), attempts("failed"), false).state).toBe("failed");
  });

  test("what was lost with its node uses no retry up", () => {
    expect(afterAttempt(spec(0), attempts("lost"), false).state).toBe("pending");
    expect(afterAttempt(spec(1), attempts("lost", "failed", "lost", "cancelled"), false).state).toBe("pending");
  });

  test("what is lost again and again fails in the end", () => {
    const lost = Array.from({ length: maxLostAttempts }, () => "lost" as const);
    expect(afterAttempt(spec(5), attempts(...lost.slice(1)), false).state).toBe("pending");
    expect(afterAttempt(spec(5), attempts(...lost), false).state).toBe("failed");
  });

  test("nothing of a cancelled job is tried again", () => {
    for (const state of ["failed", "lost", "cancelled"] as const) {
      expect(afterAttempt(spec(5), attempts(state), true).state).toBe("cancelled");
    }
  });

  test("attempts whose node was at fault count for nothing", () => {
    const faults = attempts(...Array.from({ length: 50 }, () => "lost" as const)).map((one) => ({ ...one, fault: "node" as const }));
    expect(afterAttempt(spec(0), faults, false).state).toBe("pending");
    expect(afterAttempt(spec(0), [...faults, ...attempts("lost")], false).state).toBe("pending");
  });
});

describe("backOffMs", () => {
  test("the first retry comes at once, then the pause doubles up to half a minute", () => {
    const failures = (length: number) => attempts(...Array.from({ length }, () => "failed" as const));
    expect([1, 2, 3, 4, 5, 50].map((length) => backOffMs(failures(length)))).toEqual([0, 500, 1000, 2000, 4000, 30_000]);
    expect(backOffMs(attempts("failed", "failed", "lost"))).toBe(0);
  });
});
