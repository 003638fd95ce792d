/** Follows a submitted job to its end: says what it waits for, copies its tasks' output, and finds its exit code. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../agent/contract/client.ts";
import { describeError, SpillwayError } from "../agent/contract/errors.ts";
import type { Attempt, JobDetail, JobIndex } from "../agent/contract/workload.ts";
import { copyLog, type LogSinks, prefixedSinks } from "./log-copy.ts";
import { plain } from "./output.ts";
import { isPassing, patiently } from "./patience.ts";

export interface FollowOptions {
  readonly client: Pick<Client, "job" | "logs">;
  readonly job: string;
  readonly sinks: LogSinks;
  /** A line about what goes on. */
  readonly tell: (line: string) => void;
  /** What is waited for; may be redrawn, or shown rarely. */
  readonly status: (text: string) => void;
  /** Ends the following; the job goes on. */
  readonly signal: AbortSignal;
  /** Only this index, from its newest attempt on; or only this attempt of it. */
  readonly only?: { readonly index: number; readonly attempt?: number };
}

/** The job's last state, or undefined when the following was ended by the signal. */
export async function followJob(options: FollowOptions): Promise<JobDetail | undefined> {
  const { client, job, signal, only } = options;
  const followers = logFollowers(options);
  const startedAt = performance.now();
  const tellAttempt = attemptTeller(options);
  let fromAttempt = only?.attempt;
  for (;;) {
    const detail = await untilAborted(
      patiently(() => client.job(job), { signal, tell: options.tell }),
      signal,
    );
    if (detail === undefined) break;
    const indexes = only === undefined ? detail.indexes : [indexOf(detail, only)];
    if (only !== undefined) fromAttempt ??= indexes[0]?.attempts.at(-1)?.attempt;
    for (const index of indexes) {
      const wanted = index.attempts.filter(
        (one) => only?.attempt === one.attempt || (only?.attempt === undefined && one.attempt >= (fromAttempt ?? 1)),
      );
      for (const attempt of wanted) followers.add(detail, index, attempt);
      tellAttempt(detail, index);
    }
    if (isOver(detail, only)) {
      await untilAborted(followers.drained(), signal);
      return signal.aborted ? undefined : detail;
    }
    const elapsedMs = performance.now() - startedAt;
    if (elapsedMs > waitIsWorthALineMs) tellWaiting(detail, indexes, options);
    await sleep(pollIntervalMs(detail, elapsedMs), undefined, { signal }).catch(() => {});
  }
  return undefined;
}

function isOver(detail: JobDetail, only: FollowOptions["only"]): boolean {
  if (only === undefined) return isFinal(detail);
  const index = indexOf(detail, only);
  const attempt = index.attempts.find((one) => one.attempt === only.attempt);
  return attempt === undefined ? index.state !== "pending" && index.state !== "active" : ended.has(attempt.state);
}

function indexOf(detail: JobDetail, { index, attempt }: NonNullable<FollowOptions["only"]>): JobIndex {
  const found = detail.indexes.find((one) => one.index === index);
  const hint = `\`spillway jobs show ${detail.id}\` lists them.`;
  if (found === undefined) throw new SpillwayError(`job ${detail.id} has no index ${index}`, { code: "not-found", hint });
  if (attempt !== undefined && !found.attempts.some((one) => one.attempt === attempt)) {
    throw new SpillwayError(`index ${index} of job ${detail.id} has no attempt ${attempt}`, { code: "not-found", hint });
  }
  return found;
}

/** The promise's value, or undefined as soon as the signal comes; what it would still throw is of no interest then. */
async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  const aborted = Promise.withResolvers<undefined>();
  const onAbort = (): void => aborted.resolve(undefined);
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  try {
    return await Promise.race([promise, aborted.promise]);
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/**
 * The exit code of a job that ended: 0 when it succeeded, else the code of the first failing index's last attempt.
 * Undefined when no process of it has one: it never ran, was lost, or was cancelled.
 */
export function exitCodeOf(detail: JobDetail): number | undefined {
  if (detail.state === "succeeded") return 0;
  if (detail.state === "cancelled") return undefined;
  const failing = detail.indexes.find((index) => index.state === "failed") ?? detail.indexes.find((index) => index.state !== "succeeded");
  const code = failing?.attempts.at(-1)?.exitCode;
  return code === undefined || code === 0 ? undefined : code;
}

export function isFinal(job: { readonly state: JobDetail["state"] }): boolean {
  return job.state === "succeeded" || job.state === "failed" || job.state === "cancelled";
}

const waitIsWorthALineMs = 1000;
const parallelLogs = 8;
const ended = new Set<Attempt["state"]>(["succeeded", "failed", "cancelled", "lost"]);

/** Fast at first, since most commands are short; big arrays make big answers. */
function pollIntervalMs(detail: JobDetail, elapsedMs: number): number {
  const base = elapsedMs < 2000 ? 60 : 300;
  return Math.max(base, Math.min(5000, detail.indexes.length * 2));
}

function tellWaiting(detail: JobDetail, indexes: readonly JobIndex[], { status, only }: FollowOptions): void {
  if (detail.spec.count > 1 && only === undefined) {
    const count = (state: JobIndex["state"]): number => detail.counts[state] ?? 0;
    status(
      `${detail.id}: ${count("succeeded")} of ${detail.spec.count} done, ${count("active")} running, ${count("pending")} pending${pendingReason(indexes)}`,
    );
  } else if (indexes[0]?.state === "pending") {
    status(`${detail.id} is pending${pendingReason(indexes)}`);
  }
}

function pendingReason(indexes: readonly JobIndex[]): string {
  const reason = indexes.find((index) => index.state === "pending" && index.pendingReason !== undefined)?.pendingReason;
  return reason === undefined ? "" : `: ${plain(reason)}`;
}

/** Says once why an attempt ended badly and that it is tried again. */
function attemptTeller({ tell }: FollowOptions): (detail: JobDetail, index: JobIndex) => void {
  const told = new Set<string>();
  return (detail, index) => {
    index.attempts.forEach((attempt, at) => {
      const isLast = at === index.attempts.length - 1;
      if (!ended.has(attempt.state) || attempt.state === "succeeded" || told.has(attempt.taskId)) return;
      if (isLast && index.state === "active") return;
      told.add(attempt.taskId);
      if (isLast && index.state !== "pending") return;
      const what = detail.spec.count > 1 ? `${detail.id}[${index.index}]` : detail.id;
      tell(
        `${what}: attempt ${attempt.attempt} on ${attempt.node} ${attempt.state}${attempt.reason === undefined ? "" : ` (${plain(attempt.reason)})`}; it is tried again`,
      );
    });
  };
}

/** Copies the output of every attempt, a few at a time; attempts of one index one after the other. */
function logFollowers(options: FollowOptions) {
  const { client, job, tell, signal } = options;
  const known = new Set<string>();
  const chains = new Map<number, Promise<void>>();
  let slots = parallelLogs;
  const waiting: (() => void)[] = [];

  const takeSlot = async (): Promise<void> => {
    if (slots > 0) slots -= 1;
    else await new Promise<void>((resume) => waiting.push(resume));
  };
  const giveSlot = (): void => {
    const next = waiting.shift();
    if (next === undefined) slots += 1;
    else next();
  };

  async function inSlot(act: () => Promise<void>): Promise<void> {
    await takeSlot();
    try {
      await act();
    } finally {
      giveSlot();
    }
  }

  const freshDetail = detailsInBatches(options);

  async function follow(detail: JobDetail, index: number, attempt: number): Promise<void> {
    const isArray = detail.spec.count > 1 && options.only === undefined;
    const prefixed = isArray ? prefixedSinks(`${index}: `, options.sinks) : undefined;
    const copy = copyLog(prefixed ?? options.sinks);
    try {
      await copyToEnd(() => inSlot(() => copy.run(client.logs(job, { index, attempt, follow: true, signal }))), index, attempt);
    } catch (error) {
      if (!signal.aborted)
        tell(`the output of attempt ${attempt}${isArray ? ` of index ${index}` : ""} can't be read to its end: ${faultText(error)}`);
    } finally {
      await prefixed?.flush();
    }
  }

  /**
   * A log is complete when it ends after its attempt did. One that ends before, or just when the master goes away, was
   * cut off: it is opened again, and goes on where it was.
   */
  async function copyToEnd(copy: () => Promise<void>, index: number, attempt: number): Promise<void> {
    let failingSince: number | undefined;
    while (!signal.aborted) {
      const fault = await copy().then(
        () => undefined,
        (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
      );
      failingSince = fault === undefined ? undefined : (failingSince ?? performance.now());
      const { detail, wasAway } = await freshDetail();
      const now = attemptIn(detail, index, attempt);
      if (fault === undefined && !wasAway && now !== undefined && ended.has(now.state)) return;
      const isHopeless =
        now === undefined || now.state === "lost" || performance.now() - (failingSince ?? Number.POSITIVE_INFINITY) > logPatienceMs;
      if (fault !== undefined && isHopeless) throw fault;
      await sleep(reopenPauseMs, undefined, { signal }).catch(() => {});
    }
  }

  return {
    add(detail: JobDetail, index: JobIndex, attempt: Attempt): void {
      // an attempt that is only assigned has no output yet, and may never have any
      if (known.has(attempt.taskId) || attempt.state === "assigned") return;
      known.add(attempt.taskId);
      if (attempt.startedAt === undefined && ended.has(attempt.state)) return;
      const before = chains.get(index.index) ?? Promise.resolve();
      chains.set(
        index.index,
        before.then(() => follow(detail, index.index, attempt.attempt)),
      );
    },
    drained: async (): Promise<void> => {
      await Promise.all(chains.values());
    },
  };
}

/**
 * The job as it is after the call, and whether the master was away meanwhile. Those who ask within a moment of each other
 * share one answer: an array's is big, and each of its logs ends with this question.
 */
function detailsInBatches({ client, job, signal }: FollowOptions): () => Promise<{ detail: JobDetail; wasAway: boolean }> {
  let next: Promise<{ detail: JobDetail; wasAway: boolean }> | undefined;
  let indexes = 1;
  const ask = async (): Promise<{ detail: JobDetail; wasAway: boolean }> => {
    await sleep(indexes > 1 ? Math.min(longestBatchMs, indexes) : 0, undefined, { signal }).catch(() => {});
    next = undefined;
    let wasAway = false;
    const asking = (): Promise<JobDetail> =>
      client.job(job).catch((error: unknown) => {
        wasAway = true;
        throw error;
      });
    // the job's own following tells it
    const detail = await patiently(asking, { signal, tell: () => {} });
    indexes = detail.indexes.length;
    return { detail, wasAway };
  };
  return () => (next ??= ask());
}

const longestBatchMs = 1000;

/** A node may be away for long; then its output is given up, and the job still followed. */
const logPatienceMs = 20_000;
const reopenPauseMs = 250;

function attemptIn(detail: JobDetail, index: number, attempt: number): Attempt | undefined {
  return detail.indexes.find((one) => one.index === index)?.attempts.find((one) => one.attempt === attempt);
}

function faultText(error: unknown): string {
  const text = describeError(error).split("\n")[0] ?? "";
  return isPassing(error) ? `${text} (\`spillway logs\` may have it later)` : text;
}
