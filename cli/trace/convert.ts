/** Turns the jobs of a trace into jobs of this pool: the trace's proportions, the pool's sizes, durations of seconds. */
import type { z } from "zod";
import type { jobSpec } from "../../agent/contract/workload.ts";
import { type TraceWork, traceCommand } from "./trace-command.ts";
import type { TraceFormat, TraceJob } from "./trace-job.ts";

/** This many workers take the whole biggest node; wider jobs take it too, so that every job fits somewhere. */
export const widestWorkers = 8;
export const shortestMs = 50;
export const longestMs = 3000;
const leastMemoryMiB = 16;
const traceRetries = 3;

export interface ConversionOptions {
  /** The node that every job must fit: millicores and MiB. */
  readonly biggest: { readonly cpu: number; readonly memory: number };
  /** Names are `<prefix>-0001` …, so that submitting again is harmless. */
  readonly prefix: string;
  /** Durations are multiplied by it. */
  readonly timeScale: number;
  readonly work: TraceWork;
  readonly nodePool?: string;
  readonly priority?: number;
}

export interface ConvertedJob {
  readonly spec: z.input<typeof jobSpec> & { readonly name: string };
  readonly durationMs: number;
  /** When it came, as a share (0–1) of the span of the selected jobs. */
  readonly arrival: number;
}

/** Pure: the same trace, pool and options give the same jobs. */
export function convertTrace(jobs: readonly TraceJob[], options: ConversionOptions): ConvertedJob[] {
  const workPlace = logPlace(jobs.map((job) => job.work));
  const footprintPlace = logPlace(jobs.map((job) => job.footprint));
  const firstS = jobs[0]?.submitS ?? 0;
  const spanS = (jobs.at(-1)?.submitS ?? 0) - firstS;
  return jobs.map((job, at) => {
    const share = Math.min(job.workers, widestWorkers) / widestWorkers;
    const cpu = Math.min(options.biggest.cpu, Math.max(1, Math.round(options.biggest.cpu * share)));
    const wanted = Math.round(options.biggest.memory * share * (0.25 + 0.75 * footprintPlace(job.footprint)));
    const memory = Math.min(options.biggest.memory, Math.max(leastMemoryMiB, wanted));
    const durationMs = Math.max(1, Math.round((shortestMs + (longestMs - shortestMs) * workPlace(job.work)) * options.timeScale));
    const name = `${options.prefix}-${String(at + 1).padStart(4, "0")}`;
    return {
      durationMs,
      arrival: spanS === 0 ? 0 : (job.submitS - firstS) / spanS,
      spec: {
        name,
        command: traceCommand({ job: name, durationMs, work: options.work, cpu, memory }),
        resources: { cpu, memory },
        retries: traceRetries,
        ...(options.nodePool === undefined ? {} : { nodePool: options.nodePool }),
        ...(options.priority === undefined ? {} : { priority: options.priority }),
      },
    };
  });
}

/** The conversion as lines for a person: all that `convertTrace` does. */
export function conversionFormula(format: TraceFormat, { biggest, timeScale }: Pick<ConversionOptions, "biggest" | "timeScale">): string[] {
  const scale = timeScale === 1 ? "" : ` × ${timeScale}`;
  return [
    `workers   w = ${format.meaning.workers}, at most ${widestWorkers}`,
    `cpu       = ${biggest.cpu} m (the biggest node) × w / ${widestWorkers}`,
    `memory    = ${biggest.memory} MiB (the same node) × w / ${widestWorkers} × (1/4 + 3/4 × p(${format.meaning.footprint})), at least ${leastMemoryMiB} MiB`,
    `duration  = (${shortestMs} ms + ${longestMs - shortestMs} ms × p(${format.meaning.work}))${scale}`,
    "p(x)      = where ln(1 + x) lies between the least (0) and the most (1) of the selected jobs",
  ];
}

/** Where ln(1 + x) lies between the smallest and the largest: traces span many orders of magnitude. */
function logPlace(values: readonly number[]): (value: number) => number {
  const logs = values.map(Math.log1p);
  const low = logs.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY);
  const high = logs.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  return (value) => (high === low ? 0.5 : (Math.log1p(value) - low) / (high - low));
}

export interface RunEstimate {
  /** Millicore-seconds ÷ 1000. */
  readonly cpuSeconds: number;
  /** No schedule can be shorter on this capacity. */
  readonly leastMs: number;
  /** What to expect: packing is never perfect, and each process takes a moment to start. */
  readonly expectedMs: number;
}

/** Measured on local pools: a task holds its resources this much longer than its own duration. */
const overheadPerTaskMs = 100;
const packing = 0.8;

/** How long the jobs take on a pool of that capacity (millicores, MiB). */
export function estimateRun(jobs: readonly ConvertedJob[], capacity: { readonly cpu: number; readonly memory: number }): RunEstimate {
  const hold = (extraMs: number): number => {
    const cpuMs = jobs.reduce((sum, job) => sum + job.spec.resources.cpu * (job.durationMs + extraMs), 0) / Math.max(1, capacity.cpu);
    const memoryMs =
      jobs.reduce((sum, job) => sum + job.spec.resources.memory * (job.durationMs + extraMs), 0) / Math.max(1, capacity.memory);
    const longest = jobs.reduce((most, job) => Math.max(most, job.durationMs + extraMs), 0);
    return Math.max(cpuMs, memoryMs, longest);
  };
  const cpuSeconds = jobs.reduce((sum, job) => sum + job.spec.resources.cpu * job.durationMs, 0) / 1e6;
  return { cpuSeconds, leastMs: hold(0), expectedMs: hold(overheadPerTaskMs) / packing };
}
