/** How much is done at a time by one process, whoever asked for it: hosts at work, and uploads among them. */

/** Each is a connection and a few commands: they wait for their hosts more than this computer computes. */
export const hostsAtOnce = atMost(32);
/** They share this computer's way out, and its processor for the encryption. */
export const uploadsAtOnce = atMost(8);

/** Runs what it is given, at most `limit` at a time; the others wait in their order. */
export function atMost(limit: number): <T>(act: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (act) => {
    if (running >= limit) await new Promise<void>((turn) => waiting.push(turn));
    else running += 1;
    try {
      return await act();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  };
}
