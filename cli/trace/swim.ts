/** Traces of the SWIM project: MapReduce jobs, six tab-separated fields a line (a seventh, the input path, is ignored). */
import { looksNumeric, malformed, type TraceFormat, traceNumber } from "./trace-job.ts";

/** So many bytes are one worker's share: a few blocks of the file systems of that time. */
const bytesPerWorker = 256 * 1024 ** 2;

/** Fields: id, submit (s), gap to the job before (s), map input bytes, shuffle bytes, reduce output bytes. */
export const swimFormat: TraceFormat = {
  name: "swim",
  origin: "MapReduce jobs of a Facebook cluster (SWIMProjectUCB/SWIM)",
  meaning: {
    workers: "map + shuffle + reduce bytes ÷ 256 MiB, rounded up",
    work: "map + shuffle + reduce bytes",
    footprint: "shuffle bytes",
  },
  matches(firstLine) {
    const fields = firstLine.split("\t");
    return (fields.length === 6 || fields.length === 7) && fields.slice(1, 6).every(looksNumeric);
  },
  parse(text, at) {
    const fields = text.split("\t");
    if (fields.length !== 6 && fields.length !== 7) throw malformed(at, `${fields.length} tab-separated fields instead of 6`);
    const shuffle = traceNumber(fields[4], "shuffle bytes", 0, at);
    const bytes = traceNumber(fields[3], "map input bytes", 0, at) + shuffle + traceNumber(fields[5], "reduce output bytes", 0, at);
    return {
      line: at.line,
      submitS: traceNumber(fields[1], "submit time", 0, at),
      workers: Math.max(1, Math.ceil(bytes / bytesPerWorker)),
      work: bytes,
      footprint: shuffle,
    };
  },
};
