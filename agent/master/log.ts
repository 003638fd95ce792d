/** The master's own log: one JSON line per thing on stderr. Never holds a token, key or certificate. */

export type LogLevel = "info" | "warn" | "error";

/** Writes one line; `who` is what it is about: master, node/m2, job/train-41. */
export type Log = (level: LogLevel, who: string, message: string) => void;

export const stderrLog: Log = (level, who, message) => {
  process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), level, who, message })}\n`);
};
