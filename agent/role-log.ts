/**
 * Bounds the log of a role that no systemd keeps: the file its supervisor appends the output to. Done by the role itself,
 * since a process that only sleeps beside each role would cost more than this does; the supervisor looks once a start.
 */
import { copyFileSync, statSync, truncateSync } from "node:fs";

/** As in supervise.sh. */
const maxBytes = 10 * 1024 * 1024;
const lookEveryMs = 60_000;

/**
 * Keeps `file` as `FILE.1`, in place of an older one, whenever it is larger than `bytes`, and begins it anew. Undefined:
 * somebody else keeps the log. Does not keep the process alive. Returns the way to call it off.
 */
export function boundRoleLog(file: string | undefined, { bytes = maxBytes, everyMs = lookEveryMs } = {}): () => void {
  if (file === undefined || file === "") return () => undefined;
  const timer = setInterval(() => rotate(file, bytes), everyMs);
  timer.unref();
  return () => clearInterval(timer);
}

/** Copied and emptied, not renamed: who writes there appends, and can't be told to open it anew. What is written in between is lost. */
function rotate(file: string, bytes: number): void {
  try {
    if (statSync(file).size <= bytes) return;
    copyFileSync(file, `${file}.1`);
    truncateSync(file);
  } catch {
    // It is not there, or the disk is full: the log goes on as it is, and the next look tries again.
  }
}
