/**
 * Makes a synthetic trace of a day with published moments (README.md says which): the same seed gives the same file.
 * `node examples/trace/generate.ts --seed 1 --jobs 300 > examples/trace/day.csv`
 */
import { parseArgs } from "node:util";

export interface GeneratorOptions {
  readonly seed: number;
  readonly jobs: number;
}

/** The trace as text: comment lines, a heading, a line per job in the order of arrival. */
export function generateTrace({ seed, jobs }: GeneratorOptions): string {
  const random = randomNumbers(seed);
  const hourWeights = Array.from({ length: 24 }, () => Math.exp(hourlyRateSigma * normal(random)));
  const arrivals = Array.from({ length: jobs }, () => arrivalS(random, hourWeights)).toSorted((a, b) => a - b);
  const first = arrivals[0] ?? 0;
  const lines = arrivals.map((at) => {
    const workers = workersOf(random());
    return [at - first, workers, workS(random), memoryMiB(random, workers)].map(Math.round).join(",");
  });
  return [
    "# Synthetic: no job here ever ran anywhere. Made by examples/trace/generate.ts; README.md beside it says with which moments.",
    `# seed ${seed}, ${jobs} jobs`,
    "submit_s,workers,work_s,memory_mib",
    ...lines,
    "",
  ].join("\n");
}

/** Hourly rates are lognormal; the largest of 24 is then about 9 times their median: exp(1.95 × 1.13), 1.95 being the expected maximum of 24 normals. */
const hourlyRateSigma = 1.13;
const secondsPerHour = 3600;

/** One arrival of a Poisson process whose rate is constant within an hour. */
function arrivalS(random: () => number, hourWeights: readonly number[]): number {
  let left = random() * hourWeights.reduce((sum, weight) => sum + weight, 0);
  const hour = hourWeights.findIndex((weight) => {
    left -= weight;
    return left < 0;
  });
  return ((hour < 0 ? 23 : hour) + random()) * secondsPerHour;
}

/** 70 % one worker, 10 % two, 15 % four, 5 % eight. */
function workersOf(share: number): number {
  if (share < 0.7) return 1;
  if (share < 0.8) return 2;
  return share < 0.95 ? 4 : 8;
}

/** 10^x minutes: x uniform in [1.5, 3] for 80 % of the jobs, in [3, 4] for the rest. */
function workS(random: () => number): number {
  const exponent = random() < 0.8 ? 1.5 + 1.5 * random() : 3 + random();
  return 60 * 10 ** exponent;
}

/** Our own choice: lognormal, median 1 GiB per worker. */
function memoryMiB(random: () => number, workers: number): number {
  return workers * 1024 * Math.exp(0.8 * normal(random));
}

function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Numbers in [0, 1) that depend on the seed alone (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { seed: { type: "string", default: "1" }, jobs: { type: "string", default: "300" } } });
  const [seed, jobs] = [Number(values.seed), Number(values.jobs)];
  if (!Number.isSafeInteger(seed) || !Number.isSafeInteger(jobs) || jobs < 1) {
    process.stderr.write("usage: node examples/trace/generate.ts [--seed 1] [--jobs 300] > FILE\n");
    process.exitCode = 2;
  } else process.stdout.write(generateTrace({ seed, jobs }));
}
