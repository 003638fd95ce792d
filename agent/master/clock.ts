/** The time and the timers of the master, injected so that tests and simulations own them. */

export interface Clock {
  /** ms since the epoch: for what people read. */
  now(): number;
  /** ms that never jump: for measuring silence. */
  monotonic(): number;
  /** Calls `act` every `intervalMs`; returns the cancellation. */
  every(intervalMs: number, act: () => void): () => void;
  /** Calls `act` once after `delayMs`; returns the cancellation. */
  after(delayMs: number, act: () => void): () => void;
}

/** The computer's own time. Its timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  every(intervalMs, act) {
    const timer = setInterval(act, intervalMs);
    timer.unref();
    return () => clearInterval(timer);
  },
  after(delayMs, act) {
    const timer = setTimeout(act, delayMs);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
