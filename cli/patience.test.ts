import { expect, test } from "vitest";
import { SpillwayError } from "../agent/contract/errors.ts";
import { patiently } from "./patience.ts";

const away = new SpillwayError("the master can't be reached", { code: "master-unreachable" });

/** Fails so many times, then answers. */
function failing(times: number): () => Promise<string> {
  let left = times;
  return () => {
    left -= 1;
    return left >= 0 ? Promise.reject(away) : Promise.resolve("here");
  };
}

test("an absence is told once, and its end once, however many calls wait", async () => {
  const told: string[] = [];
  const tell = (line: string): void => void told.push(line);
  expect(await Promise.all([failing(1), failing(2), failing(0)].map((act) => patiently(act, { tell })))).toEqual(["here", "here", "here"]);
  expect(told).toEqual([expect.stringContaining("can't be reached; trying again"), "The master answers again."]);
});

test("patience ends with the fault itself", async () => {
  await expect(patiently(failing(1000), { forMs: 0, tell: () => undefined })).rejects.toBe(away);
});

test("what does not pass by itself is not waited for", async () => {
  const refused = new SpillwayError("no", { code: "never-fits" });
  const told: string[] = [];
  await expect(patiently(() => Promise.reject(refused), { tell: (line) => void told.push(line) })).rejects.toBe(refused);
  expect(told).toEqual([]);
});

test("a sign of life within a long call starts patience anew", async () => {
  const told: string[] = [];
  let calls = 0;
  await patiently(
    (progress) => {
      calls += 1;
      if (calls === 2) progress();
      return calls < 4 ? Promise.reject(away) : Promise.resolve();
    },
    { tell: (line) => void told.push(line) },
  );
  expect(told.filter((line) => line.includes("trying again"))).toHaveLength(2);
  expect(told.filter((line) => line.includes("answers again"))).toHaveLength(2);
});
