import { expect, it } from "vitest";
import { keptBundle, slotsIn } from "./slots.ts";

it("reads a note that is longer than a fact, and none that is broken", () => {
  const tasks = Array.from({ length: 500 }, (_unused, index) => `job.${index}.1`);
  expect(slotsIn(`current=a\ntrial=${JSON.stringify({ tasks })}\n`).trial).toEqual({ tasks });
  expect(slotsIn("current=a\ntrial={\n").trial).toBeUndefined();
});

it("has nothing to go back to where both slots are one", () => {
  expect(slotsIn("current=a\nbefore=a\nwhole=yes\n")).toEqual({ current: "a", whole: true });
});

it("keeps the bundle of an installed role, unless it is broken or its Node comes another way now", () => {
  expect(keptBundle({ current: "a", whole: true }, {})).toBe("a");
  expect(keptBundle({ current: "a", whole: true, node: "/usr/bin/node" }, { nodeBinary: "/opt/node" })).toBe("a");
  expect(keptBundle({ current: "a", whole: false }, {})).toBeUndefined();
  expect(keptBundle({ current: "a", whole: true }, { nodeBinary: "/opt/node" })).toBeUndefined();
  expect(keptBundle({ current: "a", whole: true, node: "/opt/node" }, {})).toBeUndefined();
  expect(keptBundle({ whole: false }, {})).toBeUndefined();
});
