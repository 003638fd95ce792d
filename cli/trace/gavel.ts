/** Traces of the Gavel scheduler's evaluation: machine learning jobs, seven tab-separated fields a line. */
import { looksNumeric, malformed, type TraceFormat, traceNumber } from "./trace-job.ts";

/** Fields: job type with batch size, command, steps option, needs data, total steps, arrival (s), scale factor (workers). */
export const gavelFormat: TraceFormat = {
  name: "gavel",
  origin: "machine learning jobs of the Gavel scheduler's evaluation (stanford-futuredata/gavel)",
  meaning: { workers: "scale factor", work: "training steps", footprint: "batch size (1 where none is given)" },
  matches(firstLine) {
    const fields = firstLine.split("\t");
    return fields.length === 7 && !looksNumeric(fields[1]) && fields.slice(4).every(looksNumeric);
  },
  parse(text, at) {
    const fields = text.split("\t");
    if (fields.length !== 7) throw malformed(at, `${fields.length} tab-separated fields instead of 7`);
    const batchSize = /\(batch size (\d+)\)/.exec(fields[0] ?? "")?.[1];
    return {
      line: at.line,
      work: traceNumber(fields[4], "total steps", 0, at),
      submitS: traceNumber(fields[5], "arrival", 0, at),
      workers: traceNumber(fields[6], "scale factor", 1, at),
      footprint: batchSize === undefined ? 1 : Number(batchSize),
    };
  },
};
