/** The Store's contract, run against each implementation, and what is SQLite's own. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openSqliteStore } from "../../agent/master/state/sqlite.ts";
import { type StoreUnderTest, storeContract } from "./store.contract.ts";

async function sqliteUnderTest(options: { maxPages?: number; maxDeletions?: number } = {}): Promise<StoreUnderTest> {
  const directory = await mkdtemp(join(tmpdir(), "spillway-store-"));
  const file = join(directory, "state.db");
  let store = openSqliteStore(file, options);
  return {
    store,
    async reopen() {
      await store.close();
      store = openSqliteStore(file, options);
      return store;
    },
    async remove() {
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

storeContract("SQLite", () => sqliteUnderTest());

describe("SQLite as a Store", () => {
  test("a full disk refuses the commit with a clear error and keeps what was there", async () => {
    const made = await sqliteUnderTest({ maxPages: 30 });
    try {
      await made.store.commit("store.commit.meta", [], [{ put: { key: "kept", value: 1 } }]);
      const large = { put: { key: "large", value: "x".repeat(200_000) } };
      await expect(made.store.commit("store.commit.meta", [], [{ put: { key: "kept", value: 2 } }, large])).rejects.toMatchObject({
        code: "store-full",
        hint: expect.stringContaining("Free some space"),
      });
      expect((await made.store.get("kept"))?.value).toBe(1);
      await made.store.commit("store.commit.meta", [], [{ put: { key: "kept", value: 3 } }]);
      expect((await made.store.get("kept"))?.value).toBe(3);
    } finally {
      await made.remove();
    }
  });

  test("forgotten deletions make a watch from before them fail instead of missing them", async () => {
    const made = await sqliteUnderTest({ maxDeletions: 5 });
    try {
      for (let n = 0; n < 12; n += 1) {
        await made.store.commit("store.commit.meta", [], [{ put: { key: `k${n}`, value: n } }]);
        await made.store.commit("store.commit.meta", [], [{ delete: `k${n}` }]);
      }
      const watch = made.store.watch("", 1, AbortSignal.timeout(5000));
      await expect(watch[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: "revision-compacted" });
    } finally {
      await made.remove();
    }
  });

  test("a file that is no database is told as damaged", async () => {
    const made = await sqliteUnderTest();
    try {
      expect(() => openSqliteStore(import.meta.filename)).toThrow(/damaged/);
    } finally {
      await made.remove();
    }
  });
});
