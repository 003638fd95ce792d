/** The simple trace format of `examples/trace`: `submit_s,workers,work_s,memory_mib`, comments after #. */
import { malformed, type TraceFormat, traceNumber } from "./trace-job.ts";

export const plainCsvHeading = "submit_s,workers,work_s,memory_mib";

export const plainCsvFormat: TraceFormat = {
  name: "csv",
  origin: `a plain table (${plainCsvHeading})`,
  meaning: { workers: "workers", work: "work_s", footprint: "memory_mib" },
  matches: (firstLine) => firstLine.startsWith("#") || firstLine.trim() === plainCsvHeading,
  parse(text, at) {
    if (text.startsWith("#") || text.trim() === plainCsvHeading) return undefined;
    const fields = text.split(",");
    if (fields.length !== 4) throw malformed(at, `${fields.length} comma-separated fields instead of 4 (${plainCsvHeading})`);
    return {
      line: at.line,
      submitS: traceNumber(fields[0], "submit_s", 0, at),
      workers: traceNumber(fields[1], "workers", 1, at),
      work: traceNumber(fields[2], "work_s", 0, at),
      footprint: traceNumber(fields[3], "memory_mib", 0, at),
    };
  },
};
