import { expect, test } from "vitest";
import { enforcedFact } from "./enforced.ts";

test("plain processes are held to no limit, and the node says so", () => {
  expect(enforcedFact()).toEqual([]);
});
