/** A store in memory that outlives the leaders on it, for tests of what a crash between any two writes leaves behind. */
import { checkedOperations, type Store, type StoreEntry } from "../state/store.ts";

export interface MemoryStore extends Store {
  /** From now on no commit is done or answered, as when the process was killed; `revive` begins with what is there. */
  kill(): void;
  revive(): void;
  /** Commits that were done. */
  readonly commits: () => number;
  /** Called before each commit is done; a test may kill there. */
  onCommit: () => void;
}

export function memoryStore(): MemoryStore {
  const entries = new Map<string, { readonly text: string; readonly revision: number }>();
  let revision = 0;
  let commits = 0;
  let dead = false;
  const read = (key: string): StoreEntry | undefined => {
    const found = entries.get(key);
    return found === undefined ? undefined : { key, value: JSON.parse(found.text), revision: found.revision };
  };
  const store: MemoryStore = {
    onCommit: () => {},
    commits: () => commits,
    kill: () => {
      dead = true;
    },
    revive: () => {
      dead = false;
    },
    get: async (key) => read(key),
    async range(prefix, { after = "", limit = 1000 } = {}) {
      const keys = [...entries.keys()].filter((key) => key.startsWith(prefix) && key > after).toSorted();
      return keys.slice(0, limit).flatMap((key) => read(key) ?? []);
    },
    async commit(_point, compare, operations) {
      const texts = checkedOperations(operations);
      if (!dead) store.onCommit();
      // Nobody is left to hear of it.
      if (dead) return new Promise(() => {});
      if (compare.some((one) => (entries.get(one.key)?.revision ?? 0) !== one.revision)) return { committed: false, revision };
      revision += 1;
      commits += 1;
      for (const [position, operation] of operations.entries()) {
        const text = texts[position];
        if ("put" in operation && text !== undefined) entries.set(operation.put.key, { text, revision });
        else if ("delete" in operation) entries.delete(operation.delete);
      }
      return { committed: true, revision };
    },
    watch: () => {
      throw new Error("nobody watches this store");
    },
    revision: async () => revision,
    close: async () => {},
  };
  return store;
}
