/** Waits for a condition, never for time alone. */
import { setTimeout as delay } from "node:timers/promises";

/** Asks every 20 ms until `condition` holds; throws with `what` when it does not within `timeoutMs`. */
export async function waitUntil(what: string, condition: () => boolean | Promise<boolean>, timeoutMs = 10_000): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`waited ${timeoutMs / 1000} s in vain until ${what}`);
    await delay(20);
  }
}
