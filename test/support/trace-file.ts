/** The trace that the end-to-end test runs: a public one where `SPILLWAY_DATA` holds it, else the synthetic one of the examples. */
import { existsSync } from "node:fs";
import { join } from "node:path";

export function traceFile(checkout: string): { file: string; jobs: number } {
  const data = process.env.SPILLWAY_DATA;
  const file = data === undefined ? undefined : join(data, "gavel_msr_seed0.trace");
  return { file: file !== undefined && existsSync(file) ? file : join(checkout, "examples/trace/day.csv"), jobs: 300 };
}
