import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SpillwayError } from "../contract/errors.ts";
import { nodeDeclaration } from "../contract/node.ts";
import type { Leader } from "./leader.ts";
import { declareNode } from "./lifecycle/nodes.ts";
import type { Operation, Store } from "./state/store.ts";
import { type TestLeader, testLeader } from "./testing/test-leader.ts";
import { until } from "./testing/until.ts";

const declaration = nodeDeclaration.parse({ pool: "rack", provider: "local", providerId: "m" });

describe("the leader", () => {
  let bench: TestLeader;
  let leader: Leader;
  beforeEach(async () => {
    bench = await testLeader({ wrap: withFailures });
    leader = bench.leader;
  });
  afterEach(() => bench.end());

  test("refuses a record no store takes, and only that", async () => {
    const written = leader.writer.write("store.commit.meta", [{ put: { key: "meta/large", value: "x".repeat(300_000) } }]);
    await expect(written).rejects.toMatchObject({ code: "too-large" });
    await leader.writer.settled();
    expect(leader.writer.fault()).toBeUndefined();
    await declareNode(leader, "m1", declaration);
    expect((await bench.store.get("node/m1"))?.value).toMatchObject({ name: "m1" });
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

/** The store, but that the commit of the node `bad` fails. */
function withFailures(store: Store): Store {
  return {
    ...store,
    commit: (point, compare, operations) =>
      operations.some(isOfBadNode)
        ? Promise.reject(new SpillwayError("the disk failed", { code: "store-failed" }))
        : store.commit(point, compare, operations),
  };
}

function isOfBadNode(operation: Operation): boolean {
  return "put" in operation && operation.put.key === "node/bad";
}
