import { expect, it } from "vitest";
import { atMost } from "./at-once.ts";

it("runs so many at a time and the others in their order, also after one has failed", async () => {
  const bound = atMost(3);
  const begun: number[] = [];
  let [running, most] = [0, 0];
  const acts = Array.from({ length: 20 }, (_unused, number) =>
    bound(async () => {
      begun.push(number);
      running += 1;
      most = Math.max(most, running);
      await new Promise((done) => setImmediate(done));
      running -= 1;
      if (number % 5 === 0) throw new Error("failed");
    }),
  );
  const outcomes = await Promise.allSettled(acts);
  expect(outcomes.filter(({ status }) => status === "rejected")).toHaveLength(4);
  expect(begun).toEqual(Array.from({ length: 20 }, (_unused, number) => number));
  expect(most).toBe(3);
});
