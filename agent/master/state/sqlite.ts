/**
 * The Store in one SQLite file. Commits that come within a few milliseconds share one transaction and one sync to the
 * disk (group commit); each is acknowledged after it. Deleted keys stay as rows without a value, so that a watcher that
 * was away learns of them, until there are too many.
 */

import { withCrashPoint } from "../../contract/crash-point.ts";
import { SpillwayError } from "../../contract/errors.ts";
import { openSqlite, sqliteError } from "./sqlite-file.ts";
import type { CommitResult, Comparison, Operation, Store, StoreChange, StoreEntry } from "./store.ts";
import { checkedOperations } from "./store.ts";

/** How long a commit may wait for others to share its sync; the limit of the design is 10 ms. */
const groupWindowMs = 2;
const defaultRangeLimit = 1000;

const schema = `
  CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, value TEXT) WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS entries_by_revision ON entries (revision);
  CREATE INDEX IF NOT EXISTS deletions ON entries (revision) WHERE value IS NULL;
  CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
`;

interface Row {
  key: string;
  revision: number;
  value: string | null;
}

interface Waiting {
  readonly compare: readonly Comparison[];
  readonly operations: readonly Operation[];
  readonly texts: readonly (string | undefined)[];
  readonly resolve: (result: CommitResult) => void;
  readonly reject: (error: unknown) => void;
}

interface Watcher {
  readonly prefix: string;
  readonly notify: (changes: readonly StoreChange[]) => void;
  readonly end: () => void;
}

/**
 * Opens the store in `file`. `maxPages` bounds its size (tests of a full disk); `maxDeletions` is how many deleted keys
 * watchers can still learn of.
 */
export function openSqliteStore(file: string, options: { readonly maxPages?: number; readonly maxDeletions?: number } = {}): Store {
  const database = openSqlite(file, { durable: true, schema });
  if (options.maxPages !== undefined) database.exec(`PRAGMA max_page_count = ${options.maxPages}`);
  const maxDeletions = options.maxDeletions ?? 10_000;

  const selectOne = database.prepare("SELECT key, revision, value FROM entries WHERE key = ? AND value IS NOT NULL");
  const selectRange = database.prepare(
    "SELECT key, revision, value FROM entries WHERE key > ? AND key >= ? AND key < ? AND value IS NOT NULL ORDER BY key LIMIT ?",
  );
  const selectChanges = database.prepare(
    "SELECT key, revision, value FROM entries WHERE revision > ? AND key >= ? AND key < ? ORDER BY revision",
  );
  const write = database.prepare("INSERT OR REPLACE INTO entries (key, revision, value) VALUES (?, ?, ?)");
  const selectFact = database.prepare("SELECT value FROM facts WHERE name = ?");
  const writeFact = database.prepare("INSERT OR REPLACE INTO facts (name, value) VALUES (?, ?)");
  const selectOldDeletion = database.prepare("SELECT revision FROM entries WHERE value IS NULL ORDER BY revision DESC LIMIT 1 OFFSET ?");
  const forgetDeletions = database.prepare("DELETE FROM entries WHERE value IS NULL AND revision <= ?");

  const fact = (name: string): number => Number(selectFact.get(name)?.value ?? 0);
  let revision = fact("revision");
  let compacted = fact("compacted");
  let deletionsSinceCompaction = maxDeletions;
  let waiting: Waiting[] = [];
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  const watchers = new Set<Watcher>();

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    const group = waiting;
    waiting = [];
    if (group.length === 0) return;
    const changes: StoreChange[] = [];
    const results: { commit: Waiting; result: CommitResult }[] = [];
    const before = { revision, compacted, deletionsSinceCompaction };
    try {
      database.exec("BEGIN IMMEDIATE");
      for (const commit of group) results.push({ commit, result: apply(commit, changes) });
      if (revision !== before.revision) writeFact.run("revision", revision);
      if (deletionsSinceCompaction > maxDeletions) compact();
      database.exec("COMMIT");
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      ({ revision, compacted, deletionsSinceCompaction } = before);
      const told = sqliteError(error, file);
      for (const commit of group) commit.reject(told);
      return;
    }
    for (const { commit, result } of results) commit.resolve(result);
    for (const watcher of watchers) {
      const seen = changes.filter((change) => change.key.startsWith(watcher.prefix));
      if (seen.length > 0) watcher.notify(seen);
    }
  }

  function apply(commit: Waiting, changes: StoreChange[]): CommitResult {
    for (const { key, revision: expected } of commit.compare) {
      const entry = selectOne.get(key) as Row | undefined;
      if ((entry?.revision ?? 0) !== expected) return { committed: false, revision };
    }
    revision += 1;
    for (const [position, operation] of commit.operations.entries()) {
      const key = "put" in operation ? operation.put.key : operation.delete;
      const text = commit.texts[position] ?? null;
      if (text === null) {
        if (selectOne.get(key) === undefined) continue;
        deletionsSinceCompaction += 1;
      }
      write.run(key, revision, text);
      changes.push(text === null ? { key, revision } : { key, revision, value: JSON.parse(text) });
    }
    return { committed: true, revision };
  }

  /** Forgets deletions beyond the newest `maxDeletions`; runs once per that many deletions. */
  function compact(): void {
    deletionsSinceCompaction = 0;
    const oldest = selectOldDeletion.get(maxDeletions) as { revision: number } | undefined;
    if (oldest === undefined) return;
    forgetDeletions.run(oldest.revision);
    compacted = oldest.revision;
    writeFact.run("compacted", compacted);
  }

  function guarded<T>(read: () => T): T {
    if (closed) throw new Error("the store is closed");
    try {
      return read();
    } catch (error) {
      throw sqliteError(error, file);
    }
  }

  return {
    async get(key) {
      const row = guarded(() => selectOne.get(key)) as Row | undefined;
      return row === undefined ? undefined : entryOf(row);
    },

    async range(prefix, { after = "", limit = defaultRangeLimit } = {}) {
      return (guarded(() => selectRange.all(after, prefix, endOf(prefix), limit)) as unknown as Row[]).map(entryOf);
    },

    async commit(point, compare, operations) {
      const texts = checkedOperations(operations);
      return withCrashPoint(
        point,
        () =>
          new Promise<CommitResult>((resolve, reject) => {
            if (closed) throw new Error("the store is closed");
            waiting.push({ compare, operations, texts, resolve, reject });
            timer ??= setTimeout(flush, groupWindowMs);
          }),
      );
    },

    async *watch(prefix, fromRevision, signal) {
      if (fromRevision < compacted) {
        throw new SpillwayError(`changes after revision ${fromRevision} are no longer known`, {
          code: "revision-compacted",
          hint: "Read the range anew and watch from the present revision.",
        });
      }
      const past = guarded(() => selectChanges.all(fromRevision, prefix, endOf(prefix))) as unknown as Row[];
      yield* follow(prefix, past.map(changeOf), signal, watchers);
    },

    async revision() {
      return revision;
    },

    async close() {
      if (closed) return;
      flush();
      closed = true;
      for (const watcher of watchers) watcher.end();
      database.close();
    },
  };
}

/** What is known already, then what comes, until the signal aborts or the store ends the watch. */
async function* follow(
  prefix: string,
  known: StoreChange[],
  signal: AbortSignal,
  watchers: Set<Watcher>,
): AsyncGenerator<StoreChange, void, undefined> {
  const queue = known;
  let ended = signal.aborted;
  let wake = () => {};
  const end = () => {
    ended = true;
    wake();
  };
  const watcher: Watcher = {
    prefix,
    notify(changes) {
      queue.push(...changes);
      wake();
    },
    end,
  };
  watchers.add(watcher);
  signal.addEventListener("abort", end, { once: true });
  try {
    while (true) {
      for (const change of queue.splice(0)) {
        if (ended) return;
        yield change;
      }
      if (ended) return;
      if (queue.length > 0) continue;
      const { promise, resolve } = Promise.withResolvers<void>();
      wake = resolve;
      await promise;
    }
  } finally {
    watchers.delete(watcher);
    signal.removeEventListener("abort", end);
  }
}

function entryOf(row: Row): StoreEntry {
  return { key: row.key, revision: row.revision, value: JSON.parse(row.value ?? "null") };
}

function changeOf(row: Row): StoreChange {
  return row.value === null
    ? { key: row.key, revision: row.revision }
    : { key: row.key, revision: row.revision, value: JSON.parse(row.value) };
}

/** The first key after every key with this prefix. */
function endOf(prefix: string): string {
  return `${prefix}\u{10FFFF}`;
}
