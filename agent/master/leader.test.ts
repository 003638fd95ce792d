import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { masterConfig } from "../contract/agent-config.ts";
import { SpillwayError } from "../contract/errors.ts";
import { nodeDeclaration } from "../contract/node.ts";
import { type Leader, startLeader } from "./leader.ts";
import { declareNode } from "./lifecycle/nodes.ts";
import { openJournal } from "./state/journal.ts";
import { openSqliteStore } from "./state/sqlite.ts";
import type { Operation, Store } from "./state/store.ts";
import { manualClock } from "./testing/manual-clock.ts";
import { until } from "./testing/until.ts";

const quiet = () => {};
const declaration = nodeDeclaration.parse({ pool: "rack", provider: "local", providerId: "m" });

describe("the leader", () => {
  let directory: string;
  let store: Store;
  let leader: Leader;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), "spillway-leader-"));
    const config = masterConfig.parse({
      environment: { id: "7f6e7a53-2b3c-4a55-9f0e-1f1d8f6f0001", name: "test" },
      listen: { host: "127.0.0.1", port: 0 },
      endpoint: "https://127.0.0.1",
      stateDir: directory,
      caFile: "-",
      intermediateCertFile: "-",
      intermediateKeyFile: "-",
      adminTokenSha256: "-",
    });
    store = openSqliteStore(join(directory, "state.db"));
    const failing: Store = {
      ...store,
      commit: (point, compare, operations) =>
        operations.some(isOfBadNode)
          ? Promise.reject(new SpillwayError("the disk failed", { code: "store-failed" }))
          : store.commit(point, compare, operations),
    };
    const journal = openJournal(join(directory, "journal.db"), quiet);
    leader = await startLeader({ config, clock: manualClock(), log: quiet, store: failing, journal, onSuperseded: quiet, onLoaded: quiet });
  });
  afterEach(async () => {
    leader.shutdown.abort();
    leader.journal.close();
    await store.close();
    await rm(directory, { recursive: true, force: true });
  });

  test("refuses a record no store takes, and only that", async () => {
    const written = leader.writer.write("store.commit.meta", [{ put: { key: "meta/large", value: "x".repeat(300_000) } }]);
    await expect(written).rejects.toMatchObject({ code: "too-large" });
    await leader.writer.settled();
    expect(leader.writer.fault()).toBeUndefined();
    await declareNode(leader, "m1", declaration);
    expect((await store.get("node/m1"))?.value).toMatchObject({ name: "m1" });
  });

  test("keeps what was under way when another commit failed", async () => {
    const bad = declareNode(leader, "bad", declaration);
    const good = declareNode(leader, "good", declaration);
    await expect(bad).rejects.toMatchObject({ code: "store-failed" });
    await good;
    await until("it is writable again", () => leader.writer.fault() === undefined);
    expect([...leader.pool.nodes.keys()]).toEqual(["good"]);
  });
});

function isOfBadNode(operation: Operation): boolean {
  return "put" in operation && operation.put.key === "node/bad";
}
