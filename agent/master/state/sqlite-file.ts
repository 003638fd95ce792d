/** Opens a SQLite file for the master and tells its faults as the product does. */
import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { SpillwayError } from "../../contract/errors.ts";

const sqliteFull = 13;
const sqliteCorrupt = 11;
const sqliteNotADatabase = 26;

/**
 * Opens (or makes, 0600 by the process's umask) the database in WAL mode. `durable` syncs each commit to the disk.
 * Throws a SpillwayError `store-full`, `store-corrupt` or `store-failed`.
 */
export function openSqlite(file: string, options: { readonly durable: boolean; readonly schema: string }): DatabaseSync {
  try {
    if (!existsSync(dirname(file))) mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const database = new DatabaseSync(file, { timeout: 5000 });
    database.exec("PRAGMA journal_mode = WAL");
    database.exec(`PRAGMA synchronous = ${options.durable ? "FULL" : "NORMAL"}`);
    database.exec(options.schema);
    return database;
  } catch (error) {
    throw sqliteError(error, file);
  }
}

/** A fault of SQLite as a SpillwayError; a bug (any other error) is returned as it is. */
export function sqliteError(error: unknown, file: string): unknown {
  if (!(error instanceof Error) || !("errcode" in error)) return error;
  // The low byte is the primary result code.
  const code = Number(error.errcode) & 0xff;
  if (code === sqliteFull) {
    return new SpillwayError("the disk is full; nothing was written", {
      code: "store-full",
      where: file,
      hint: "Free some space on that disk; the master goes on by itself.",
      cause: error,
    });
  }
  if (code === sqliteCorrupt || code === sqliteNotADatabase) {
    return new SpillwayError("the file is damaged", {
      code: "store-corrupt",
      where: file,
      hint: "Restore it from a backup, or move it away to begin with an empty state.",
      cause: error,
    });
  }
  return new SpillwayError(`the state can't be written or read: ${error.message}`, {
    code: "store-failed",
    where: file,
    hint: "Look at the disk and the permissions of that directory; the master tries again by itself.",
    cause: error,
  });
}
