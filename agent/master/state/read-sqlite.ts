/** Reads a store's file without being its master: nothing is written, and a master that runs on it is not disturbed. */
import { existsSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { sqliteError } from "./sqlite-file.ts";
import type { StoreEntry } from "./store.ts";

/** The entries whose key has this prefix, by key; none where there is no such file. Throws what `sqliteError` makes of a fault. */
export function readSqliteEntries(file: string, prefix: string): StoreEntry[] {
  if (!existsSync(file)) return [];
  try {
    const database = new DatabaseSync(file, { readOnly: true, timeout: 5000 });
    try {
      const rows = database
        .prepare("SELECT key, revision, value FROM entries WHERE substr(key, 1, ?) = ? AND value IS NOT NULL ORDER BY key")
        .all(prefix.length, prefix);
      return rows.map(({ key, revision, value }) => ({
        key: String(key),
        revision: Number(revision),
        value: JSON.parse(String(value)),
      }));
    } finally {
      database.close();
    }
  } catch (error) {
    throw sqliteError(error, file);
  }
}
