import { expect, test } from "vitest";
import { afterExisting } from "./up.ts";

test("up is run again for as long as something is ended that stood in its way", async () => {
  let inTheWay = 2;
  const run = async () => {
    if (inTheWay > 0) throw new Error("it exists");
    return "up";
  };
  const end = async () => inTheWay-- > 0;
  await expect(afterExisting(run, end)).resolves.toBe("up");
  expect(inTheWay).toBe(0);
});

test("the engine's own error is told when nothing stood in its way", async () => {
  let runs = 0;
  const run = async () => {
    runs += 1;
    throw new Error("no quota");
  };
  await expect(afterExisting(run, async () => false)).rejects.toThrow("no quota");
  expect(runs).toBe(1);
});

test("an up whose way never becomes free comes to an end", async () => {
  let runs = 0;
  const run = async () => {
    runs += 1;
    throw new Error("it exists");
  };
  await expect(afterExisting(run, async () => true)).rejects.toThrow("it exists");
  expect(runs).toBe(10);
});
