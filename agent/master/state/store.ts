/**
 * The durable state of a master as an asynchronous key-value store: SQLite on one master now, etcd for three later. One
 * contract suite (`test/contract/store.contract.ts`) says what every implementation does.
 */
import type { CrashPoint } from "../../contract/crash-point.ts";

export const maxOperations = 100;
export const maxValueBytes = 256 * 1024;
export const maxKeyBytes = 512;

export interface StoreEntry {
  readonly key: string;
  /** What JSON can hold; a fresh copy for each reader. */
  readonly value: unknown;
  /** The store's revision at which this value was written. */
  readonly revision: number;
}

/** A change as a watcher sees it. Without `value` the key was deleted. */
export interface StoreChange {
  readonly key: string;
  readonly revision: number;
  readonly value?: unknown;
}

/** Holds when the key's entry has this revision; 0 means that the key does not exist. */
export interface Comparison {
  readonly key: string;
  readonly revision: number;
}

export type Operation = { readonly put: { readonly key: string; readonly value: unknown } } | { readonly delete: string };

/** `revision` is the store's after the commit; when not committed, the one at which a comparison failed. */
export interface CommitResult {
  readonly committed: boolean;
  readonly revision: number;
}

export interface Store {
  get(key: string): Promise<StoreEntry | undefined>;

  /** Entries whose key starts with `prefix`, in key order (by bytes), after the key `after`, at most `limit` (default 1,000). */
  range(prefix: string, options?: { readonly after?: string; readonly limit?: number }): Promise<StoreEntry[]>;

  /**
   * Applies all operations or none. Resolves after the commit is durable. All operations of a commit get the same
   * revision, one above the last. When a comparison does not hold, nothing is written and `committed` is false. Commits
   * take effect in the order of their calls. More than 100 operations or a value of more than 256 KiB is a RangeError.
   * A fault of the disk is a SpillwayError `store-full` or `store-failed`, and nothing of that commit is there.
   */
  commit(point: CrashPoint, compare: readonly Comparison[], operations: readonly Operation[]): Promise<CommitResult>;

  /**
   * Changes under `prefix` later than `fromRevision`, in order of their revision, first those that already happened, then
   * each as it is committed; ends when the signal aborts or the store closes. Of several changes of one key that happened
   * before the watcher looked, it may see the last only. Fails with a SpillwayError `revision-compacted` when deletions
   * after `fromRevision` are no longer known: read the range anew.
   */
  watch(prefix: string, fromRevision: number, signal: AbortSignal): AsyncIterable<StoreChange>;

  /** The revision of the last commit; 0 for an empty store. */
  revision(): Promise<number>;

  /** Waits for what was handed to `commit`, then closes. */
  close(): Promise<void>;
}

/** Throws a RangeError on what no implementation has to take. Returns the JSON text of each put, by its place. */
export function checkedOperations(operations: readonly Operation[]): (string | undefined)[] {
  if (operations.length > maxOperations) throw new RangeError(`${operations.length} operations in one commit; at most ${maxOperations}`);
  return operations.map((operation) => {
    const key = "put" in operation ? operation.put.key : operation.delete;
    if (key === "" || Buffer.byteLength(key) > maxKeyBytes) throw new RangeError(`a key has 1 to ${maxKeyBytes} bytes`);
    if (!("put" in operation)) return undefined;
    const text = JSON.stringify(operation.put.value) as string | undefined;
    if (text === undefined) throw new RangeError(`the value of ${key} is not JSON`);
    if (Buffer.byteLength(text) > maxValueBytes) throw new RangeError(`the value of ${key} is larger than ${maxValueBytes} bytes`);
    return text;
  });
}
