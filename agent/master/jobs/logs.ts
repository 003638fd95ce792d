/**
 * A task's output as lines of the API. With `follow` it waits for the task to start, goes on when a connection was cut
 * (without repeating what was told) and goes on with the next attempt when an index is tried again.
 */
import type { LogLine } from "../../contract/api.ts";
import { describeError, SpillwayError } from "../../contract/errors.ts";
import { cutNotice } from "../../contract/wire.ts";
import type { Attempt } from "../../contract/workload.ts";
import type { Leader } from "../leader.ts";
import { readLog } from "../lifecycle/bulk.ts";
import { hasEnded, type PoolIndex } from "../pool/pool.ts";
import { jobView } from "../pool/views.ts";

export interface LogRequest {
  readonly job: string;
  readonly index: number;
  /** The newest when left out. */
  readonly attempt?: number | undefined;
  readonly follow: boolean;
}

/** A cut connection is tried again after this long. */
const retryMs = 500;

/**
 * What can be said before the first byte: throws a SpillwayError `not-found`, `not-started` or `node-away`.
 */
export function assertLogReadable(leader: Leader, request: LogRequest): void {
  const index = indexOf(leader, request);
  const attempt = attemptOf(index, request);
  if (request.attempt !== undefined && attempt === undefined) {
    throw new SpillwayError(`index ${request.index} of job ${request.job} has no attempt ${request.attempt}`, {
      code: "not-found",
      hint: `See: spillway jobs show ${request.job}`,
    });
  }
  if (request.follow && !isFinal(index)) return;
  if (attempt === undefined || attempt.state === "assigned" || attempt.startedAt === undefined) {
    const reason = attempt?.reason ?? (isFinal(index) ? `its state is ${index.state}` : "no node runs it yet");
    throw new SpillwayError(`index ${request.index} of job ${request.job} has not started, so there is no log: ${reason}`, {
      code: "not-started",
      hint: isFinal(index) ? `See: spillway explain job/${request.job}` : "Wait for it with follow=true.",
    });
  }
  if (leader.controls.has(attempt.node)) return;
  const state = leader.pool.nodes.get(attempt.node)?.state ?? "removed";
  throw new SpillwayError(`the log is on node ${attempt.node}, which is ${state === "ready" ? "not connected" : state}`, {
    code: "node-away",
    hint: state === "removed" ? "Logs go with their node." : "Try again when it is back: spillway nodes list",
  });
}

/** Ends with `{ end: true }`, with the error when the log could not be told to its end; without it when aborted. Never throws for a fault of the world. */
export async function* jobLog(leader: Leader, request: LogRequest, signal: AbortSignal): AsyncGenerator<LogLine, void, undefined> {
  const told = { taskId: "", stdout: 0, stderr: 0 };
  let readToEnd = "";
  while (!signal.aborted) {
    let attempt: Attempt | undefined;
    try {
      const index = indexOf(leader, request);
      attempt = attemptOf(index, request);
      if (attempt !== undefined && attempt.state !== "assigned" && attempt.startedAt !== undefined && attempt.taskId !== readToEnd) {
        if (told.taskId !== attempt.taskId) Object.assign(told, { taskId: attempt.taskId, stdout: 0, stderr: 0 });
        yield* attemptLog(leader, attempt, request.follow, told, signal);
        if (!request.follow) break;
        readToEnd = attempt.taskId;
        attempt = await attemptEnded(leader, request, attempt.taskId, signal);
        if (attempt === undefined || request.attempt !== undefined || isFinal(indexOf(leader, request))) break;
      } else if (attempt !== undefined && attempt.taskId === readToEnd) {
        if (isFinal(index)) break;
      } else if (isFinal(index) || (attempt !== undefined && hasEnded(attempt) && request.attempt !== undefined)) {
        assertLogReadable(leader, { ...request, follow: false });
        break;
      }
    } catch (error) {
      if (!(error instanceof SpillwayError)) throw error;
      if (!request.follow || !mayStillCome(leader, request, attempt)) {
        yield { end: true, error: describeError(error) };
        return;
      }
    }
    // Nothing to read now: the task has not started, its node is away, or its next attempt is not placed yet.
    await jobChanged(leader, request.job, retryMs, signal);
  }
  // Without its end the reader knows that the log was cut.
  if (!signal.aborted) yield { end: true };
}

async function* attemptLog(
  leader: Leader,
  attempt: Attempt,
  follow: boolean,
  told: { stdout: number; stderr: number },
  signal: AbortSignal,
): AsyncGenerator<LogLine, void, undefined> {
  const seen = { stdout: 0, stderr: 0 };
  for await (const { channel, bytes, skipped } of readLog(leader, { node: attempt.node, taskId: attempt.taskId, follow, signal })) {
    const from = seen[channel];
    if (skipped !== undefined) {
      seen[channel] += skipped;
      // Of what is gone only that is missed which was not told before.
      const missed = seen[channel] - Math.max(from, told[channel]);
      if (missed <= 0) continue;
      told[channel] = seen[channel];
      yield { channel, data: Buffer.from(cutNotice(missed)).toString("base64"), skipped: missed };
      continue;
    }
    seen[channel] += bytes.length;
    const fresh = bytes.subarray(Math.max(0, Math.min(bytes.length, told[channel] - from)));
    if (fresh.length === 0) continue;
    told[channel] += fresh.length;
    yield { channel, data: fresh.toString("base64") };
  }
}

/** Waits until the attempt's end is recorded: the log may end a moment before. Undefined when aborted. */
async function attemptEnded(leader: Leader, request: LogRequest, taskId: string, signal: AbortSignal): Promise<Attempt | undefined> {
  while (!signal.aborted) {
    const attempt = indexOf(leader, request).attempts.find((one) => one.taskId === taskId);
    if (attempt === undefined || hasEnded(attempt)) return attempt;
    await jobChanged(leader, request.job, retryMs, signal);
  }
  return undefined;
}

/** After a fault: is there still something to wait for? */
function mayStillCome(leader: Leader, request: LogRequest, attempt: Attempt | undefined): boolean {
  const index = leader.pool.jobs.get(request.job)?.indexes[request.index];
  if (index === undefined) return false;
  const now = index.attempts.find((one) => one.taskId === attempt?.taskId);
  if (now !== undefined && !hasEnded(now)) return true;
  return request.attempt === undefined && !isFinal(index);
}

/** Resolves at the next change of the job, or after `timeoutMs`, or when aborted. */
async function jobChanged(leader: Leader, job: string, timeoutMs: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const waiters = leader.jobWaiters.get(job) ?? new Set();
  leader.jobWaiters.set(job, waiters.add(resolve));
  const cancel = leader.clock.after(timeoutMs, resolve);
  const onAbort = () => resolve();
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) resolve();
  await promise;
  signal.removeEventListener("abort", onAbort);
  cancel();
  waiters.delete(resolve);
  if (waiters.size === 0) leader.jobWaiters.delete(job);
}

function indexOf(leader: Leader, request: LogRequest): PoolIndex {
  const job = leader.pool.jobs.get(request.job);
  if (job === undefined)
    throw new SpillwayError(`there is no job "${request.job}"`, { code: "not-found", hint: "See: spillway jobs list" });
  const index = job.indexes[request.index];
  if (index === undefined) {
    throw new SpillwayError(`job ${request.job} has no index ${request.index}`, {
      code: "not-found",
      hint: `Its indexes are 0 to ${jobView(job).spec.count - 1}.`,
    });
  }
  return index;
}

function attemptOf(index: PoolIndex, request: LogRequest): Attempt | undefined {
  return request.attempt === undefined ? index.attempts.at(-1) : index.attempts.find((one) => one.attempt === request.attempt);
}

function isFinal(index: PoolIndex): boolean {
  return index.state === "succeeded" || index.state === "failed" || index.state === "cancelled";
}
