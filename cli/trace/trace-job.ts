/** One job of a trace, the same for all formats: when it came, how wide it is, how much it does, how much it holds. */
import { SpillwayError } from "../../agent/contract/errors.ts";

export interface TraceJob {
  /** The line of the file it stands on, from 1. */
  readonly line: number;
  /** Seconds since the trace began. */
  readonly submitS: number;
  /** How many workers ran side by side, at least 1. */
  readonly workers: number;
  /** How much it did, in the format's own unit; only its size against the other jobs' counts. */
  readonly work: number;
  /** How much it held at a time, in the format's own unit; only its size against the other jobs' counts. */
  readonly footprint: number;
}

export interface TraceFormat {
  readonly name: string;
  readonly origin: string;
  /** What stands for workers, work and footprint: a part of the printed formula. */
  readonly meaning: { readonly workers: string; readonly work: string; readonly footprint: string };
  /** Whether a file whose first line this is has this format. */
  readonly matches: (firstLine: string) => boolean;
  /** A line as a job, or undefined for a line that holds none (a heading). Throws a SpillwayError that names file and line. */
  readonly parse: (text: string, at: LinePlace) => TraceJob | undefined;
}

export interface LinePlace {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** A number of a trace line, at least `min`; anything else is an error that names file and line. */
export function traceNumber(text: string | undefined, field: string, min: number, at: LinePlace): number {
  const value = Number(text);
  if (text === undefined || text.trim() === "" || !Number.isFinite(value)) throw malformed(at, `${field} is "${text ?? ""}", not a number`);
  if (value < min) throw malformed(at, `${field} is ${text}, and must be at least ${min}`);
  return value;
}

export function malformed(at: LinePlace, why: string): SpillwayError {
  return new SpillwayError(`malformed trace line: ${why}`, {
    code: "malformed-trace",
    where: `${at.file}:${at.line}`,
    hint: "Mend or remove that line; nothing was submitted.",
  });
}

export function looksNumeric(text: string | undefined): boolean {
  return text !== undefined && text.trim() !== "" && Number.isFinite(Number(text));
}
