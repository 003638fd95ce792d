/** A timer for a point in time, however far away: Node's own fire at once beyond 24.8 days. */

const longestTimerMs = 2 ** 31 - 1;

/** Calls `act` at `at` (ms since the epoch), soon if that is past. Does not keep the process alive. Returns the way to call it off. */
export function setAlarm(at: number, act: () => void): () => void {
  let timer: NodeJS.Timeout;
  const arm = () => {
    const wait = at - Date.now();
    timer = setTimeout(wait > longestTimerMs ? arm : act, Math.min(Math.max(0, wait), longestTimerMs));
    timer.unref();
  };
  arm();
  return () => clearTimeout(timer);
}
