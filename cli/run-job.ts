/** Follows a submitted job to its end: says what it waits for, copies its tasks' output, and finds its exit code. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../agent/contract/client.ts";
import { describeError } from "../agent/contract/errors.ts";
import type { Attempt, JobDetail, JobIndex } from "../agent/contract/workload.ts";
import { copyLog, type LogSinks, prefixedSinks } from "./log-copy.ts";
import { countOf, plain } from "./output.ts";
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
}

/** The job's last state, or undefined when the following was ended by the signal. */
export async function followJob(options: FollowOptions): Promise<JobDetail | undefined> {
  const { client, job, signal } = options;
  const followers = logFollowers(options);
  const startedAt = performance.now();
  const teller = attemptTeller(options);
  let detail: JobDetail | undefined;
  while (!signal.aborted) {
    detail = await patiently(() => client.job(job), { signal, tell: options.tell }).catch((error: unknown) => {
      if (signal.aborted) return undefined;
      throw error;
    });
    if (detail === undefined) break;
    for (const index of detail.indexes) {
      for (const attempt of index.attempts) followers.add(detail, index, attempt);
      teller(detail, index);
    }
    if (isFinal(detail)) break;
    if (performance.now() - startedAt > waitIsWorthALineMs) tellWaiting(detail, options);
    await sleep(pollIntervalMs(detail, performance.now() - startedAt), undefined, { signal }).catch(() => {});
  }
  await followers.drained();
  return signal.aborted ? undefined : detail;
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

function tellWaiting(detail: JobDetail, { status }: FollowOptions): void {
  if (detail.spec.count > 1) {
    const count = (state: JobIndex["state"]): number => detail.counts[state] ?? 0;
    status(
      `${detail.id}: ${count("succeeded")} of ${detail.spec.count} done, ${count("active")} running, ${count("pending")} pending${pendingReason(detail)}`,
    );
  } else if (detail.indexes[0]?.state === "pending") {
    status(`${detail.id} is pending${pendingReason(detail)}`);
  }
}

function pendingReason(detail: JobDetail): string {
  const reason = detail.indexes.find((index) => index.state === "pending" && index.pendingReason !== undefined)?.pendingReason;
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

  async function follow(detail: JobDetail, index: number, attempt: number): Promise<void> {
    await takeSlot();
    const prefixed = detail.spec.count > 1 ? prefixedSinks(`${index}: `, options.sinks) : undefined;
    const copy = copyLog(prefixed ?? options.sinks);
    try {
      await patiently((progress) => copy.run(client.logs(job, { index, attempt, follow: true, signal }), progress), {
        signal,
        tell,
        forMs: logPatienceMs,
      });
    } catch (error) {
      if (!signal.aborted)
        tell(`the output of attempt ${attempt}${detail.spec.count > 1 ? ` of index ${index}` : ""} can't be followed: ${faultText(error)}`);
    } finally {
      await prefixed?.flush();
      giveSlot();
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

/** A node may be away longer than the master; then its output is given up and the job still followed. */
const logPatienceMs = 20_000;

function faultText(error: unknown): string {
  const text = describeError(error).split("\n")[0] ?? "";
  return isPassing(error) ? `${text} (\`spillway logs\` may have it later)` : text;
}
