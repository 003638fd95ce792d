import { expect, test } from "vitest";
import { besides } from "./remove-node.ts";

test("what belongs to a removal is told apart from what an up would do anyway", () => {
  const changes = [
    { name: "node rack-3", operation: "delete" },
    { name: "host rack-3", operation: "delete" },
    { name: "pool guard", operation: "update" },
    { name: "node rack-4", operation: "update" },
    { name: "host rack-33", operation: "delete" },
  ];
  expect(besides(changes, { name: "rack-3" }).map(({ name }) => name)).toEqual(["node rack-4", "host rack-33"]);
});
