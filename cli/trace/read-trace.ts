/** Reads a trace file in any of the known formats: the first jobs in the order of their arrival. */
import { existsSync, readFileSync, statSync } from "node:fs";
import { isAbsolute, join } from "node:path";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { gavelFormat } from "./gavel.ts";
import { plainCsvFormat } from "./plain-csv.ts";
import { swimFormat } from "./swim.ts";
import { malformed, type TraceFormat, type TraceJob } from "./trace-job.ts";

const formats: readonly TraceFormat[] = [gavelFormat, swimFormat, plainCsvFormat];
const largestFileBytes = 256 * 1024 ** 2;

export interface Trace {
  readonly file: string;
  readonly format: TraceFormat;
  /** In the order of arrival; jobs of the same second in the file's order. */
  readonly jobs: readonly TraceJob[];
  /** How many the file holds. */
  readonly total: number;
}

/**
 * `name` is a path, or the name of a file in the folder SPILLWAY_DATA. Throws a SpillwayError: `no-trace`,
 * `unknown-trace-format`, `malformed-trace` with file and line.
 */
export function readTrace(name: string, first: number, dataFolder: string | undefined = process.env.SPILLWAY_DATA): Trace {
  const file = locate(name, dataFolder);
  if (statSync(file).size > largestFileBytes) throw new SpillwayError("the file is larger than 256 MiB", { code: "no-trace", where: file });
  const lines = readFileSync(file, "utf8").split("\n");
  const format = formats.find((candidate) => candidate.matches((lines[0] ?? "").trimEnd()));
  if (format === undefined) {
    throw new SpillwayError("this is no trace of a known format", {
      code: "unknown-trace-format",
      where: `${file}:1`,
      hint: "Known are Gavel (7 tab-separated fields), SWIM (6) and the table of examples/trace/README.md.",
    });
  }
  const jobs = lines.flatMap((text, at) => (text.trim() === "" ? [] : (format.parse(text.trimEnd(), { file, line: at + 1 }) ?? [])));
  if (jobs.length === 0) throw malformed({ file, line: lines.length }, "the file ends before the first job");
  return { file, format, jobs: jobs.toSorted((a, b) => a.submitS - b.submitS).slice(0, first), total: jobs.length };
}

function locate(name: string, dataFolder: string | undefined): string {
  const candidates = [name, ...(dataFolder && !isAbsolute(name) ? [join(dataFolder, name)] : [])];
  const found = candidates.find((path) => existsSync(path) && statSync(path).isFile());
  if (found !== undefined) return found;
  throw new SpillwayError(`there is no file ${candidates.join(", nor ")}`, {
    code: "no-trace",
    hint: dataFolder
      ? "examples/trace/day.csv is a synthetic trace that is always there."
      : "Give a path, or set SPILLWAY_DATA to the folder of your traces; examples/trace/day.csv is always there.",
  });
}
