import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { generateTrace } from "../../examples/trace/generate.ts";
import { readTrace } from "./read-trace.ts";

const folder = mkdtempSync(join(tmpdir(), "spillway-traces-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, lines: readonly string[]): string {
  const path = join(folder, name);
  writeFileSync(path, `${lines.join("\n")}\n`);
  return path;
}

const gavel = (type: string, steps: string, arrival: string, scale: string): string =>
  [type, "python3 train.py", "-n", "1", steps, arrival, scale].join("\t");
const dayFile = join(import.meta.dirname, "../../examples/trace/day.csv");

describe("known formats", () => {
  test("Gavel: steps are the work, the scale factor the workers, the batch size the footprint", () => {
    const path = file("a.trace", [gavel("Model (batch size 64)", "1200", "10.5", "4"), gavel("Other", "7", "3", "1")]);
    const trace = readTrace(path, 10);
    expect(trace.format.name).toBe("gavel");
    expect(trace.jobs).toEqual([
      { line: 2, submitS: 3, workers: 1, work: 7, footprint: 1 },
      { line: 1, submitS: 10.5, workers: 4, work: 1200, footprint: 64 },
    ]);
  });

  test("SWIM: all bytes are the work, shuffled bytes the footprint", () => {
    const path = file("a.tsv", ["job0\t5\t5\t100\t20\t3", `job1\t9\t4\t${600 * 1024 ** 2}\t0\t0`]);
    const trace = readTrace(path, 10);
    expect(trace.format.name).toBe("swim");
    expect(trace.jobs[0]).toEqual({ line: 1, submitS: 5, workers: 1, work: 123, footprint: 20 });
    expect(trace.jobs[1]?.workers).toBe(3);
  });

  test("only the first jobs are taken, in the order of arrival", () => {
    const path = file("b.tsv", ["a\t30\t0\t1\t1\t1", "b\t10\t0\t1\t1\t1", "c\t20\t0\t1\t1\t1"]);
    const trace = readTrace(path, 2);
    expect(trace.jobs.map((job) => job.submitS)).toEqual([10, 20]);
    expect(trace.total).toBe(3);
  });

  test("a bare name is looked for in the data folder", () => {
    file("c.tsv", ["a\t1\t0\t1\t1\t1"]);
    expect(readTrace("c.tsv", 1, folder).file).toBe(join(folder, "c.tsv"));
  });
});

describe("bad input", () => {
  test.each([
    ["a field that is no number", gavel("Model", "many", "1", "1"), "total steps"],
    ["a scale factor of none", gavel("Model", "5", "1", "0"), "scale factor"],
    ["a line that is cut off", "Model\tpython3", "2 tab-separated fields"],
  ])("%s is told with file and line", (_, bad, why) => {
    const path = file("bad.trace", [gavel("Model", "1", "1", "1"), bad]);
    expect(() => readTrace(path, 300)).toThrow(
      expect.objectContaining({ code: "malformed-trace", where: `${path}:2`, message: expect.stringContaining(why) }),
    );
  });

  test("a file of another kind is refused with the formats that are known", () => {
    expect(() => readTrace(file("x.txt", ["hello"]), 1)).toThrow(expect.objectContaining({ code: "unknown-trace-format" }));
  });

  test("a missing file is told with where the always-present trace is", () => {
    expect(() => readTrace("nowhere.tsv", 1, folder)).toThrow(
      expect.objectContaining({ code: "no-trace", hint: expect.stringContaining("day.csv") }),
    );
  });

  test("a table without a job is refused", () => {
    expect(() => readTrace(file("empty.csv", ["# nothing", "submit_s,workers,work_s,memory_mib"]), 1)).toThrow(
      expect.objectContaining({ code: "malformed-trace" }),
    );
  });
});

describe("the synthetic day", () => {
  test("is exactly what the generator makes, and small", () => {
    expect(readFileSync(dayFile, "utf8")).toBe(generateTrace({ seed: 1, jobs: 300 }));
    expect(statSync(dayFile).size).toBeLessThan(20_000);
    expect(readTrace(dayFile, 1000).jobs).toHaveLength(300);
  });

  test("has the moments its README names", () => {
    const path = join(folder, "big.csv");
    writeFileSync(path, generateTrace({ seed: 7, jobs: 20_000 }));
    const { jobs } = readTrace(path, 20_000);
    const share = (matches: (job: (typeof jobs)[number]) => boolean): number => jobs.filter(matches).length / jobs.length;
    expect(share((job) => job.workers === 1)).toBeCloseTo(0.7, 1);
    expect(share((job) => job.workers === 8)).toBeCloseTo(0.05, 1);
    expect(share((job) => job.work > 60_000)).toBeCloseTo(0.2, 1);
    expect(Math.min(...jobs.map((job) => job.work))).toBeGreaterThan(60 * 31);
    expect(jobs.at(-1)?.submitS).toBeLessThanOrEqual(24 * 3600);
  });

  test("and a real trace, where there is one, are read by the same reader", () => {
    const names = process.env.SPILLWAY_DATA ? ["gavel_msr_seed0.trace", "swim_fb2009.tsv"] : [dayFile];
    for (const name of names) {
      const trace = readTrace(name, 300);
      expect(existsSync(trace.file)).toBe(true);
      expect(trace.jobs).toHaveLength(300);
    }
  });
});
