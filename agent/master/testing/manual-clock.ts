/** A clock that a test moves by hand: timers run in order, each at its own time. */
import type { Clock } from "../clock.ts";

export interface ManualClock extends Clock {
  /** Moves the time by `ms`, running every timer that becomes due on the way. */
  advance(ms: number): Promise<void>;
  /** Lets `ms` pass in which no timer ran, as when the process was stopped. */
  jump(ms: number): void;
}

interface Timer {
  due: number;
  readonly everyMs?: number;
  readonly act: () => void;
}

/** Begins at the computer's present time, since certificates are checked against that, unless `start` (ms since the epoch) is given. */
export function manualClock(start: number = Date.now()): ManualClock {
  let elapsed = 0;
  const timers = new Set<Timer>();
  const add = (timer: Timer) => {
    timers.add(timer);
    return () => void timers.delete(timer);
  };
  return {
    now: () => start + elapsed,
    monotonic: () => elapsed,
    every: (everyMs, act) => add({ due: elapsed + everyMs, everyMs, act }),
    after: (delayMs, act) => add({ due: elapsed + delayMs, act }),
    jump(ms) {
      elapsed += ms;
    },
    async advance(ms) {
      const end = elapsed + ms;
      while (true) {
        let next: Timer | undefined;
        for (const timer of timers) if (timer.due <= end && (next === undefined || timer.due < next.due)) next = timer;
        if (next === undefined) break;
        elapsed = Math.max(elapsed, next.due);
        if (next.everyMs === undefined) timers.delete(next);
        // As a real interval: one that is late does not make up for what it missed.
        else next.due = elapsed + next.everyMs;
        next.act();
      }
      elapsed = end;
      // What the timers have set off runs to where it waits for something else.
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
