import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { array, assert, double, integer, nat, property, record } from "fast-check";
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { jobSpec } from "../../agent/contract/workload.ts";
import { type ConversionOptions, conversionFormula, convertTrace, estimateRun, longestMs, shortestMs } from "./convert.ts";
import { gavelFormat } from "./gavel.ts";
import { readTrace } from "./read-trace.ts";
import { traceCommand } from "./trace-command.ts";
import type { TraceJob } from "./trace-job.ts";

const times = z.object({ start: z.number(), end: z.number() });
const options: ConversionOptions = { biggest: { cpu: 2000, memory: 4096 }, prefix: "t", timeScale: 1, work: "sleep" };
const job = (overrides: Partial<TraceJob>): TraceJob => ({ line: 1, submitS: 0, workers: 1, work: 1, footprint: 1, ...overrides });

const traceJobs = array(
  record({
    line: nat(),
    submitS: double({ min: 0, max: 1e8, noNaN: true }),
    workers: integer({ min: 1, max: 100_000 }),
    work: double({ min: 0, max: 1e15, noNaN: true }),
    footprint: double({ min: 0, max: 1e15, noNaN: true }),
  }),
  { minLength: 1, maxLength: 50 },
);
const nodes = record({ cpu: integer({ min: 1, max: 256_000 }), memory: integer({ min: 1, max: 4_000_000 }) });

describe("conversion", () => {
  test("every job fits the biggest node, whatever the trace and the node", () => {
    assert(
      property(traceJobs, nodes, (jobs, biggest) => {
        for (const { spec } of convertTrace(jobs, { ...options, biggest })) {
          expect(spec.resources.cpu).toBeLessThanOrEqual(biggest.cpu);
          expect(spec.resources.memory).toBeLessThanOrEqual(biggest.memory);
          expect(jobSpec.safeParse(spec).success).toBe(true);
        }
      }),
    );
  });

  test("durations stay within the bounds, and arrivals within the span", () => {
    assert(
      property(traceJobs, (jobs) => {
        const sorted = jobs.toSorted((a, b) => a.submitS - b.submitS);
        for (const { durationMs, arrival } of convertTrace(sorted, options)) {
          expect(durationMs).toBeGreaterThanOrEqual(shortestMs);
          expect(durationMs).toBeLessThanOrEqual(longestMs);
          expect(arrival >= 0 && arrival <= 1).toBe(true);
        }
      }),
    );
  });

  test("more workers, work or footprint never means less", () => {
    const [small, middle, large] = convertTrace(
      [job({}), job({ workers: 4, work: 100, footprint: 10 }), job({ workers: 16, work: 1e6, footprint: 1e3 })],
      options,
    );
    expect([small, middle, large].map((made) => made?.spec.resources.cpu)).toEqual([250, 1000, 2000]);
    expect([small, middle, large].map((made) => made?.spec.resources.memory)).toEqual([128, expect.closeTo(930, -2), 4096]);
    expect(small?.durationMs).toBe(shortestMs);
    expect(large?.durationMs).toBe(longestMs);
  });

  test("names are numbered in the order of arrival, so that submitting again is harmless", () => {
    const twice = [convertTrace([job({}), job({ submitS: 5 })], options), convertTrace([job({}), job({ submitS: 5 })], options)];
    expect(twice[0]).toEqual(twice[1]);
    expect(twice[0]?.map((made) => made.spec.name)).toEqual(["t-0001", "t-0002"]);
  });

  test("a time scale changes durations only", () => {
    const [slow] = convertTrace([job({})], options);
    const [fast] = convertTrace([job({})], { ...options, timeScale: 0.1 });
    expect(fast?.durationMs).toBe(Math.round((slow?.durationMs ?? 0) / 10));
    expect(fast?.spec.resources).toEqual(slow?.spec.resources);
  });

  test("the printed formula holds the numbers that are used", () => {
    const text = conversionFormula(gavelFormat, options).join("\n");
    for (const part of ["2000 m", "4096 MiB", "scale factor", "training steps", "50 ms + 2950 ms"]) expect(text).toContain(part);
  });
});

describe("the estimate", () => {
  test("is never less than the work divided by the capacity, nor than the longest job", () => {
    const jobs = convertTrace([job({ workers: 8, work: 1 }), job({ workers: 8, work: 1e6 })], options);
    const { leastMs, expectedMs, cpuSeconds } = estimateRun(jobs, { cpu: 2000, memory: 1e6 });
    expect(cpuSeconds).toBeCloseTo(6.1);
    expect(leastMs).toBe(3050);
    expect(expectedMs).toBeGreaterThan(leastMs);
    expect(estimateRun(jobs, { cpu: 1e6, memory: 1e6 }).leastMs).toBe(3000);
  });

  test("puts the first 300 jobs of a trace at half a minute to 4 minutes on three small nodes", () => {
    // the traces of real jobs where they are at hand, else the synthetic one
    const files = process.env.SPILLWAY_DATA
      ? ["gavel_msr_seed0.trace", "swim_fb2009.tsv"]
      : [join(import.meta.dirname, "../../examples/trace/day.csv")];
    for (const file of files) {
      const jobs = convertTrace(readTrace(file, 300).jobs, options);
      expect(jobs).toHaveLength(300);
      const minutes = estimateRun(jobs, { cpu: 5500, memory: 11_264 }).expectedMs / 60_000;
      expect(minutes).toBeGreaterThan(0.5);
      expect(minutes).toBeLessThan(4);
    }
  });
});

function run(work: "sleep" | "burn", path = process.env.PATH) {
  const [program = "", ...words] = traceCommand({ job: "t-0001", durationMs: 120, work, cpu: 250, memory: 64 });
  return spawnSync(program, words, { encoding: "utf8", env: { PATH: path, SPILLWAY_INDEX: "0", SPILLWAY_NODE: "m1" } });
}

describe("the task's process", () => {
  test.each(["sleep", "burn"] as const)("takes its time (%s) and prints one line about itself", (work) => {
    const { stdout, stderr, status } = run(work);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
    const printed: unknown = JSON.parse(stdout);
    expect(printed).toEqual({
      job: "t-0001",
      index: 0,
      node: "m1",
      start: expect.any(Number),
      end: expect.any(Number),
      cpu: 250,
      memory: 64,
    });
    const { start, end } = times.parse(printed);
    expect(end - start).toBeGreaterThanOrEqual(120);
  });

  test("is understood by every shell at hand", () => {
    for (const shell of ["/bin/sh", "/bin/dash", "/bin/bash"].filter((path) => existsSync(path))) {
      const [, ...words] = traceCommand({ job: "t", durationMs: 10, work: "sleep", cpu: 1, memory: 1 });
      expect(spawnSync(shell, words, { encoding: "utf8" }).stdout).toMatch(
        /^\{"job":"t","index":0,"node":"[^"]+","start":\d+,"end":\d+,"cpu":1,"memory":1\}\n$/,
      );
    }
  });

  test("falls back on seconds where date has no milliseconds", () => {
    const tools = join(import.meta.dirname, "..", "testing", "plain-tools");
    const { stdout, status } = run("sleep", `${tools}:${process.env.PATH}`);
    expect(status).toBe(0);
    const { start, end } = times.parse(JSON.parse(stdout));
    expect(start % 1000).toBe(0);
    expect(end - start).toBeGreaterThanOrEqual(1000);
  });
});
