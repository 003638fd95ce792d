/** What every Store does, whatever is behind it. Run by `store.test.ts` for each implementation. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { maxOperations, maxValueBytes, type Operation, type Store, type StoreChange } from "../../agent/master/state/store.ts";

export interface StoreUnderTest {
  readonly store: Store;
  /** Closes it and opens it again on the same data. */
  reopen(): Promise<Store>;
  /** Closes it and removes its data. */
  remove(): Promise<void>;
}

const put = (key: string, value: unknown): Operation => ({ put: { key, value } });

export function storeContract(name: string, makeStore: () => Promise<StoreUnderTest>): void {
  describe(`${name} as a Store`, () => {
    let made: StoreUnderTest;
    let store: Store;
    const write = (...operations: Operation[]) => store.commit("store.commit.meta", [], operations);

    beforeEach(async () => {
      made = await makeStore();
      store = made.store;
    });
    afterEach(() => made.remove());

    test("an empty store has revision 0 and no key", async () => {
      expect(await store.revision()).toBe(0);
      expect(await store.get("a")).toBeUndefined();
      expect(await store.range("")).toEqual([]);
    });

    test("what is put is found again, with the revision of its commit", async () => {
      const { committed, revision } = await write(put("a", { deep: [1, "two", null] }));
      expect(committed).toBe(true);
      expect(await store.get("a")).toEqual({ key: "a", value: { deep: [1, "two", null] }, revision });
    });

    test("a reader can't change what is stored", async () => {
      await write(put("a", { count: 1 }));
      const first = await store.get("a");
      Object.assign(first?.value ?? {}, { count: 2 });
      expect((await store.get("a"))?.value).toEqual({ count: 1 });
    });

    test("each commit has a revision of its own, greater than the last, shared by its operations", async () => {
      const first = await write(put("a", 1), put("b", 1));
      const second = await write(put("b", 2));
      expect(second.revision).toBe(first.revision + 1);
      expect((await store.get("a"))?.revision).toBe(first.revision);
      expect((await store.get("b"))?.revision).toBe(second.revision);
      expect(await store.revision()).toBe(second.revision);
    });

    test("a deleted key is gone, and deleting it again is no error", async () => {
      await write(put("a", 1));
      await write({ delete: "a" });
      expect(await store.get("a")).toBeUndefined();
      expect(await store.range("")).toEqual([]);
      expect((await write({ delete: "a" })).committed).toBe(true);
    });

    test("a range has the keys with the prefix only, in order, in pages", async () => {
      await write(put("n/b", 2), put("n/a", 1), put("n/c", 3), put("m/z", 0), put("n0", 4));
      expect((await store.range("n/")).map(({ key }) => key)).toEqual(["n/a", "n/b", "n/c"]);
      expect((await store.range("n/", { limit: 2 })).map(({ key }) => key)).toEqual(["n/a", "n/b"]);
      expect((await store.range("n/", { after: "n/b", limit: 2 })).map(({ key }) => key)).toEqual(["n/c"]);
    });

    test("a prefix is text, not a pattern, and case counts", async () => {
      await write(put("a%b", 1), put("axb", 2), put("A%b", 3));
      expect((await store.range("a%")).map(({ key }) => key)).toEqual(["a%b"]);
    });

    test("a commit whose comparison holds is applied", async () => {
      const { revision } = await write(put("a", 1));
      const compare = [
        { key: "a", revision },
        { key: "new", revision: 0 },
      ];
      expect((await store.commit("store.commit.meta", compare, [put("a", 2), put("new", 1)])).committed).toBe(true);
      expect((await store.get("a"))?.value).toBe(2);
    });

    test("a commit whose comparison does not hold changes nothing", async () => {
      const { revision } = await write(put("a", 1));
      await write(put("a", 2));
      const stale = await store.commit("store.commit.meta", [{ key: "a", revision }], [put("a", 3), put("b", 3)]);
      expect(stale.committed).toBe(false);
      expect((await store.get("a"))?.value).toBe(2);
      expect(await store.get("b")).toBeUndefined();
      expect((await store.commit("store.commit.meta", [{ key: "a", revision: 0 }], [put("a", 3)])).committed).toBe(false);
    });

    test("a key that was deleted compares as one that never was", async () => {
      await write(put("a", 1));
      await write({ delete: "a" });
      expect((await store.commit("store.commit.meta", [{ key: "a", revision: 0 }], [put("a", 2)])).committed).toBe(true);
    });

    test("of many that compare with the same revision at once, exactly one wins", async () => {
      const { revision } = await write(put("a", "start"));
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, who) => store.commit("store.commit.meta", [{ key: "a", revision }], [put("a", who)])),
      );
      expect(results.filter(({ committed }) => committed)).toHaveLength(1);
    });

    test("commits take effect in the order of their calls", async () => {
      await Promise.all(Array.from({ length: 50 }, (_, value) => write(put("a", value))));
      expect((await store.get("a"))?.value).toBe(49);
    });

    test("what is too large or too much is refused before anything is written", async () => {
      await expect(write(put("a", "x".repeat(maxValueBytes)))).rejects.toThrow(RangeError);
      await expect(write(...Array.from({ length: maxOperations + 1 }, (_, n) => put(`k${n}`, n)))).rejects.toThrow(RangeError);
      await expect(write(put("a", undefined))).rejects.toThrow(RangeError);
      await expect(write(put("", 1))).rejects.toThrow(RangeError);
      expect(await store.revision()).toBe(0);
      await write(put("a", "x".repeat(maxValueBytes - 2)));
      await write(...Array.from({ length: maxOperations }, (_, n) => put(`k${n}`, n)));
    });

    test("everything acknowledged is there after it was opened again, and revisions go on", async () => {
      await write(put("a", 1), put("b", 1));
      const { revision } = await write({ delete: "b" });
      store = await made.reopen();
      expect((await store.get("a"))?.value).toBe(1);
      expect(await store.get("b")).toBeUndefined();
      expect((await write(put("c", 1))).revision).toBe(revision + 1);
    });

    test("a watcher sees what happened since its revision, then what happens", async () => {
      const { revision } = await write(put("n/a", 1));
      await write(put("n/b", 2));
      await write(put("other", 0));
      await write({ delete: "n/a" });
      const watched = watch(store, "n/", revision);
      await watched.count(2);
      await write(put("n/c", 3));
      await write(put("other", 1));
      await write({ delete: "n/c" });
      await watched.count(4);
      expect(watched.seen.map(({ key, value }) => [key, value])).toEqual([
        ["n/b", 2],
        ["n/a", undefined],
        ["n/c", 3],
        ["n/c", undefined],
      ]);
      const revisions = watched.seen.map((change) => change.revision);
      expect(revisions).toEqual(revisions.toSorted((a, b) => a - b));
      watched.abort.abort();
      await watched.ended;
    });

    test("a watcher that was away learns of deletions, also after the store was opened again", async () => {
      const { revision } = await write(put("n/a", 1));
      await write({ delete: "n/a" });
      store = await made.reopen();
      const watched = watch(store, "n/", revision);
      await watched.count(1);
      expect(watched.seen[0]).toMatchObject({ key: "n/a" });
      expect(watched.seen[0]).not.toHaveProperty("value");
      watched.abort.abort();
      await watched.ended;
    });

    test("a failed comparison is not seen by watchers", async () => {
      const watched = watch(store, "", 0);
      await store.commit("store.commit.meta", [{ key: "a", revision: 7 }], [put("a", 1)]);
      await write(put("b", 1));
      await watched.count(1);
      expect(watched.seen.map(({ key }) => key)).toEqual(["b"]);
      watched.abort.abort();
      await watched.ended;
    });

    test("closing waits for what was handed in, and ends the watches", async () => {
      const watched = watch(store, "", 0);
      const last = write(put("a", 1));
      await store.close();
      expect((await last).committed).toBe(true);
      await watched.ended;
      store = await made.reopen();
      expect((await store.get("a"))?.value).toBe(1);
    });
  });
}

function watch(store: Store, prefix: string, fromRevision: number) {
  const abort = new AbortController();
  const seen: StoreChange[] = [];
  let wake = () => {};
  const ended = (async () => {
    for await (const change of store.watch(prefix, fromRevision, abort.signal)) {
      seen.push(change);
      wake();
    }
  })();
  return {
    seen,
    abort,
    ended,
    async count(wanted: number): Promise<void> {
      while (seen.length < wanted) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
      }
    },
  };
}
