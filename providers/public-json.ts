/** JSON that anybody may read: clouds' public lists. */
import { setTimeout as delay } from "node:timers/promises";

const timeoutMs = 30_000;
const mostAttempts = 4;

/** Asks again a few times, since such lists are throttled by address, and a refusal passes within seconds. Throws the last error as it is. */
export async function publicJson(url: URL, signal?: AbortSignal): Promise<unknown> {
  for (let attempt = 1; ; attempt++) {
    try {
      const timeout = AbortSignal.timeout(timeoutMs);
      const response = await fetch(url, { signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]) });
      if (!response.ok) throw new Error(`HTTP ${response.status}`);
      return await response.json();
    } catch (error) {
      if (signal?.aborted === true || attempt === mostAttempts) throw error;
      await delay(250 * 4 ** (attempt - 1), undefined, signal === undefined ? {} : { signal });
    }
  }
}
