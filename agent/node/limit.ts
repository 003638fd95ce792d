/** Lets a few acts run at a time, first come first served, so that a crowd does not make each of its members slow. */

/** Returns a wrapper; an act's failure is its own and does not hold up the others. */
export function limitConcurrency(max: number): <T>(act: () => Promise<T>) => Promise<T> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (act) => {
    // Who is woken takes over the place of who went: the count stays.
    if (running >= max) await new Promise<void>((resolve) => waiting.push(resolve));
    else running++;
    try {
      return await act();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running--;
      else next();
    }
  };
}
