import { expect, it, vi } from "vitest";
import { patiently } from "./patience.ts";

const patience = { firstPauseMs: 1000, longestPauseMs: 4000, totalMs: 12_000 };

it("asks once where there is an answer, and never again after it", async () => {
  const ask = vi.fn<() => Promise<string>>(async () => "here");
  expect(await patiently(patience, ask)).toBe("here");
  expect(ask).toHaveBeenCalledTimes(1);
});

it("asks once more when all pauses are over, and then gives up", async () => {
  const ask = vi.fn<() => Promise<undefined>>(async () => undefined);
  expect(await patiently({ firstPauseMs: 1, longestPauseMs: 2, totalMs: 4 }, ask)).toBeUndefined();
  // Pauses of 1, 2 and the 1 that is left.
  expect(ask).toHaveBeenCalledTimes(4);
});

it("gives an error on at once", async () => {
  const ask = vi.fn<() => Promise<string>>(async () => Promise.reject(new Error("no")));
  await expect(patiently(patience, ask)).rejects.toThrow("no");
  expect(ask).toHaveBeenCalledTimes(1);
});
