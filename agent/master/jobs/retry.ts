/** What becomes of an index when its attempt has ended: the one place that decides about retries. */
import type { Attempt, JobSpec } from "../../contract/workload.ts";
import type { IndexState } from "../pool/pool.ts";

/** Attempts lost with their nodes are no fault of the job, but a job that always loses its node must end some time. */
export const maxLostAttempts = 20;

const firstBackOffMs = 500;
const maxBackOffMs = 30_000;

export interface AfterAttempt {
  readonly state: Exclude<IndexState, "active">;
  /** A few words that follow "…, ": what happens now, and why. */
  readonly because: string;
}

/** `attempts` ends with the one that has just ended; `cancelled`: its job was cancelled (or the pool is closing). */
export function afterAttempt(spec: JobSpec, attempts: readonly Attempt[], cancelled: boolean): AfterAttempt {
  const last = attempts.at(-1);
  if (last === undefined) throw new RangeError("no attempt has ended");
  if (last.state === "succeeded") return { state: "succeeded", because: "done" };
  if (cancelled) return { state: "cancelled", because: "not tried again: its job is cancelled" };
  if (last.state === "failed") {
    const failures = attempts.filter((attempt) => attempt.state === "failed").length;
    if (failures > spec.retries) {
      return {
        state: "failed",
        because: spec.retries === 0 ? "not tried again: no retries were asked for" : `all ${spec.retries} retries are used up`,
      };
    }
    return { state: "pending", because: `to be tried again (retry ${failures} of ${spec.retries})` };
  }
  if (last.fault === "node") return { state: "pending", because: "to be placed anew: its node, not the task, was at fault" };
  const lost = attempts.filter(({ state, fault }) => (state === "lost" || state === "cancelled") && fault === undefined).length;
  if (lost >= maxLostAttempts) return { state: "failed", because: `given up: ${lost} attempts were lost` };
  return { state: "pending", because: "to be placed anew" };
}

/** How long (ms) to wait before the next attempt: the first retry comes at once, then 0.5 s, doubled with each failure, at most 30 s. */
export function backOffMs(attempts: readonly Attempt[]): number {
  if (attempts.at(-1)?.state !== "failed") return 0;
  const failures = attempts.filter((attempt) => attempt.state === "failed").length;
  return failures < 2 ? 0 : Math.min(maxBackOffMs, firstBackOffMs * 2 ** (failures - 2));
}
