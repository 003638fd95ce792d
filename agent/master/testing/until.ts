/** Waits for a condition instead of for a while. */

const timeoutMs = 10_000;

/** Resolves with the first value that is not undefined or false. Rejects after 10 s with what was waited for. */
export async function until<T>(what: string, condition: () => T | undefined | false | Promise<T | undefined | false>): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  while (true) {
    const value = await condition();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
