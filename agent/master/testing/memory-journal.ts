/** A journal in memory, for tests. */
import type { PoolEvent } from "../../contract/api.ts";
import type { Journal } from "../state/journal.ts";

export function memoryJournal(): Journal & { readonly events: readonly PoolEvent[] } {
  const events: PoolEvent[] = [];
  const listeners = new Set<(event: PoolEvent) => void>();
  return {
    events,
    append(fields) {
      const appended = { ...fields, seq: events.length + 1 };
      events.push(appended);
      for (const listener of listeners) listener(appended);
      return appended;
    },
    list({ after = 0, subject, limit, newest = false }) {
      const found = events.filter((one) => one.seq > after && (subject === undefined || one.subject === subject));
      return newest ? found.slice(-limit) : found.slice(0, limit);
    },
    lastSeq: () => events.length,
    follow(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => {},
  };
}
