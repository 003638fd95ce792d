/** Submits converted jobs, waits for their end, and adds up what ran where. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Client } from "../../agent/contract/client.ts";
import type { JobDetail, JobView } from "../../agent/contract/workload.ts";
import { countOf } from "../output.ts";
import { patiently } from "../patience.ts";
import { isFinal } from "../run-job.ts";
import type { ConvertedJob } from "./convert.ts";

export interface TraceRunOptions {
  readonly client: Pick<Client, "submitJob" | "jobs" | "job">;
  readonly jobs: readonly ConvertedJob[];
  /** Spread the submissions over so many ms, as the trace's arrivals lie; 0 submits all at once. */
  readonly arrivalSpanMs: number;
  readonly status: (text: string) => void;
  readonly tell: (line: string) => void;
  readonly signal: AbortSignal;
}

const parallelCalls = 8;

/** Submits in the order of arrival. Returns how many were new; the others were there already. */
export async function submitTrace({
  client,
  jobs,
  arrivalSpanMs,
  status,
  tell,
  signal,
}: TraceRunOptions): Promise<{ created: number; existing: number }> {
  const startedAt = performance.now();
  let submitted = 0;
  let created = 0;
  status(`submitting ${countOf(jobs.length, "job")}`);
  await inParallel(jobs, signal, async (job) => {
    const waitMs = startedAt + job.arrival * arrivalSpanMs - performance.now();
    if (waitMs > 0) await sleep(waitMs, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    const answer = await patiently(() => client.submitJob(job.spec), { signal, tell });
    submitted += 1;
    if (answer.created) created += 1;
    status(`submitted ${submitted} of ${jobs.length}`);
  });
  return { created, existing: submitted - created };
}

const pollIntervalMs = 1000;

/** Waits until all have ended; undefined when the signal came first. */
export async function waitForTrace({ client, jobs, status, tell, signal }: TraceRunOptions): Promise<JobView[] | undefined> {
  const names = new Set(jobs.map((job) => job.spec.name));
  const startedAt = performance.now();
  while (!signal.aborted) {
    const askedAt = performance.now();
    const all = await patiently(() => client.jobs(), { signal, tell }).catch((error: unknown) => {
      if (signal.aborted) return undefined;
      throw error;
    });
    if (all === undefined) break;
    const views = all.filter((view) => names.has(view.id));
    const ended = views.filter(isFinal).length;
    if (ended === names.size) return views;
    const running = views.filter((view) => view.state === "running").length;
    const failed = views.filter((view) => view.state === "failed").length;
    status(
      `${ended} of ${names.size} done, ${running} running, ${views.length - ended - running} pending${failed === 0 ? "" : `, ${failed} failed`} · ${Math.round((performance.now() - startedAt) / 1000)} s`,
    );
    // a long list must not keep the master busy with nothing but this question
    await sleep(Math.max(pollIntervalMs, 10 * (performance.now() - askedAt)), undefined, { signal }).catch(() => {});
  }
  return undefined;
}

/** Every job's attempts, for the totals. */
export async function readDetails({ client, jobs, status, tell, signal }: TraceRunOptions): Promise<JobDetail[]> {
  const details: JobDetail[] = [];
  await inParallel(jobs, signal, async (job) => {
    details.push(await patiently(() => client.job(job.spec.name), { signal, tell }));
    status(`read ${countOf(details.length, "job")} of ${jobs.length}`);
  });
  return details;
}

async function inParallel<T>(items: readonly T[], signal: AbortSignal, act: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  let isFailing = false;
  const worker = async (): Promise<void> => {
    for (const item of queue) {
      if (signal.aborted || isFailing) return;
      try {
        await act(item);
      } catch (error) {
        isFailing = true;
        if (!signal.aborted) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallelCalls, items.length) }, worker));
}
