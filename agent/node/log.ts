/** One JSON line per thing worth knowing, on stderr: `{time, level, who, message}`. Never hand it a secret. */

export type LogLevel = "info" | "warn" | "error";

export interface Log {
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** A log whose lines start with `who`: `node/m2`. */
export function createLog(who: string, write: (line: string) => void = (line) => process.stderr.write(line)): Log {
  const log = (level: LogLevel) => (message: string) =>
    write(`${JSON.stringify({ time: new Date().toISOString(), level, who, message })}\n`);
  return { info: log("info"), warn: log("warn"), error: log("error") };
}
