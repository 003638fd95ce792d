/**
 * What happened, in order: events with reasons, append-only, in a SQLite file of its own. Events are buffered, so a crash
 * may lose those of the last second; nothing that must not be lost (acknowledged work, money) is kept here only.
 */
import type { DatabaseSync } from "node:sqlite";
import { event, type PoolEvent } from "../../contract/api.ts";
import { describeError } from "../../contract/errors.ts";
import type { Log } from "../log.ts";
import { openSqlite, sqliteError } from "./sqlite-file.ts";

/** A crash may lose the events of this long. */
const flushIntervalMs = 1000;
/** Beyond this many unwritten events (the disk is full), the oldest are dropped. */
const maxBuffered = 10_000;
/**
 * After a crash the numbers go on this much further, so that none is given twice: it may have lost events that were told,
 * those in memory and (when the machine crashed) those the system had not yet brought to the disk.
 */
export const skipAfterCrash = 10 * maxBuffered;
/** How many events beyond the bound may pile up before the oldest are deleted. */
const trimSlack = 1000;

const schema = `
  CREATE TABLE IF NOT EXISTS events (
    seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, message TEXT NOT NULL, data TEXT NOT NULL
  );
  CREATE INDEX IF NOT EXISTS events_by_subject ON events (subject, seq);
`;

export interface Journal {
  /** Appends and tells the followers. Never throws; returns the event with its number. */
  append(event: Omit<PoolEvent, "seq">): PoolEvent;
  /** Events after `after`, oldest first, at most `limit`; with `newest` the last `limit` of them instead. */
  list(query: { readonly after?: number; readonly subject?: string; readonly limit: number; readonly newest?: boolean }): PoolEvent[];
  lastSeq(): number;
  /** Calls `listener` with each new event until the returned function is called. */
  follow(listener: (event: PoolEvent) => void): () => void;
  close(): void;
}

/** Opens the journal in `file`, keeping the newest `maxEvents`. Its numbers go on after those given before, also after a crash. */
export function openJournal(file: string, log: Log, options: { readonly maxEvents?: number; readonly maxPages?: number } = {}): Journal {
  const maxEvents = options.maxEvents ?? 100_000;
  const database = openSqlite(file, { durable: false, schema });
  if (options.maxPages !== undefined) database.exec(`PRAGMA max_page_count = ${options.maxPages}`);
  const insert = database.prepare("INSERT INTO events (seq, at, kind, subject, message, data) VALUES (?, ?, ?, ?, ?, ?)");
  const trim = database.prepare("DELETE FROM events WHERE seq <= (SELECT seq FROM events ORDER BY seq DESC LIMIT 1 OFFSET ?)");
  const selectForward = database.prepare("SELECT * FROM events WHERE seq > ? ORDER BY seq LIMIT ?");
  const selectSubject = database.prepare("SELECT * FROM events WHERE seq > ? AND subject = ? ORDER BY seq LIMIT ?");
  const selectNewest = database.prepare("SELECT * FROM events WHERE seq > ? ORDER BY seq DESC LIMIT ?");
  const selectNewestOfSubject = database.prepare("SELECT * FROM events WHERE seq > ? AND subject = ? ORDER BY seq DESC LIMIT ?");
  const bounds = database.prepare("SELECT coalesce(max(seq), 0) AS last, count(*) AS kept FROM events").get();
  let lastSeq = Number(bounds?.last ?? 0) + (markOpen(database, file) ? skipAfterCrash : 0);
  let kept = Number(bounds?.kept ?? 0);
  let buffer: PoolEvent[] = [];
  let broken = false;
  const listeners = new Set<(event: PoolEvent) => void>();
  const timer = setInterval(flush, flushIntervalMs);
  timer.unref();

  function flush(): void {
    if (buffer.length === 0) return;
    try {
      database.exec("BEGIN");
      for (const one of buffer) insert.run(one.seq, one.at, one.kind, one.subject, one.message, JSON.stringify(one.data));
      const total = kept + buffer.length;
      const trimmed = total >= maxEvents + trimSlack;
      if (trimmed) trim.run(maxEvents);
      database.exec("COMMIT");
      kept = trimmed ? maxEvents : total;
      buffer = [];
      if (broken) log("info", "journal", "events are written again");
      broken = false;
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      if (!broken) log("error", "journal", `events can't be written: ${describeError(sqliteError(error, file))}`);
      broken = true;
      if (buffer.length > maxBuffered) buffer = buffer.slice(-maxBuffered);
    }
  }

  return {
    append(fields) {
      lastSeq += 1;
      const appended: PoolEvent = { ...fields, seq: lastSeq };
      buffer.push(appended);
      if (buffer.length >= maxBuffered) flush();
      for (const listener of listeners) listener(appended);
      return appended;
    },

    list({ after = 0, subject, limit, newest = false }) {
      flush();
      const rows = newest
        ? (subject === undefined ? selectNewest.all(after, limit) : selectNewestOfSubject.all(after, subject, limit)).toReversed()
        : subject === undefined
          ? selectForward.all(after, limit)
          : selectSubject.all(after, subject, limit);
      const written = rows.map((row) => event.parse({ ...row, data: JSON.parse(String(row.data)) }));
      // Not empty only while the disk is full.
      const unwritten = buffer.filter((one) => one.seq > after && (subject === undefined || one.subject === subject));
      const all = [...written, ...unwritten];
      return newest ? all.slice(-limit) : all.slice(0, limit);
    },

    lastSeq: () => lastSeq,

    follow(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },

    close() {
      clearInterval(timer);
      flush();
      try {
        // What could not be written is lost with its numbers, as after a crash.
        if (buffer.length === 0) database.exec("PRAGMA user_version = 0");
      } catch (error) {
        log("warn", "journal", `its end can't be noted: ${describeError(sqliteError(error, file))}`);
      }
      database.close();
    },
  };
}

/** Notes on the disk that the journal is open; returns whether it was so already: then it was not closed. */
function markOpen(database: DatabaseSync, file: string): boolean {
  try {
    const open = Number(database.prepare("PRAGMA user_version").get()?.user_version ?? 0) === 1;
    database.exec("PRAGMA user_version = 1");
    database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    return open;
  } catch (error) {
    database.close();
    throw sqliteError(error, file);
  }
}
