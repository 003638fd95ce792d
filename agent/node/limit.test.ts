import { expect, test } from "vitest";
import { limitConcurrency } from "./limit.ts";

test("no more than the limit run at once, in the order they came, and failures hold up nobody", async () => {
  const limit = limitConcurrency(2);
  const order: number[] = [];
  let running = 0;
  let most = 0;
  const act = (id: number) =>
    limit(async () => {
      order.push(id);
      most = Math.max(most, ++running);
      await new Promise((resolve) => setImmediate(resolve));
      running--;
      if (id === 1) throw new Error("its own fault");
      return id;
    });
  const results = await Promise.allSettled([0, 1, 2, 3, 4].map(act));
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled", "fulfilled", "fulfilled"]);
  expect(order).toEqual([0, 1, 2, 3, 4]);
  expect(most).toBe(2);
});
