import { expect, test } from "vitest";
import { freeUser } from "./task-users.ts";

const range = { first: 61_184, last: 61_187 };

test("each task gets a user of the range that no other has", () => {
  const taken = new Set<number>();
  for (const taskId of ["a.0.1", "b.0.1", "c.0.1", "d.0.1"]) taken.add(freeUser(taskId, range, taken));
  expect([...taken].toSorted((a, b) => a - b)).toEqual([61_184, 61_185, 61_186, 61_187]);
});

test("when all are taken that is the node's fault, and is told", () => {
  const taken = new Set([61_184, 61_185, 61_186, 61_187]);
  expect(() => freeUser("a.0.1", range, taken)).toThrowError(expect.objectContaining({ code: "no-free-user" }));
});

test("the same task begins at the same place, whatever was there before", () => {
  expect(freeUser("a.0.1", range, new Set())).toBe(freeUser("a.0.1", range, new Set()));
});
