/** How a run of tests becomes the three numbers. */
import { expect, test } from "vitest";
import { countResults } from "./suite.ts";

const aTest = (state: string, note?: string) => ({ fullName: `a test that is ${state}`, result: () => ({ state, note }) });
const aFile = (state: string, ...tests: ReturnType<typeof aTest>[]) => ({ state: () => state, children: { allTests: () => tests } });

test("passed, failed and skipped tests are counted, and the skipped named with their reason", () => {
  const file = aFile("failed", aTest("passed"), aTest("failed"), aTest("skipped", "no trace at hand"), aTest("skipped"));
  expect(countResults([file], 0)).toEqual({
    passed: 1,
    failed: 1,
    skipped: 2,
    leftOut: ["a test that is skipped: no trace at hand", "a test that is skipped"],
  });
});

test("a file that can't be loaded is a failure", () => {
  expect(countResults([aFile("passed", aTest("passed")), aFile("failed")], 0)).toMatchObject({ passed: 1, failed: 1 });
});

test("a fault outside of every test is a failure", () => {
  expect(countResults([aFile("passed", aTest("passed"))], 2)).toMatchObject({ passed: 1, failed: 1 });
});

test("a run without a test is a failure", () => {
  expect(countResults([], 0)).toMatchObject({ passed: 0, failed: 1 });
});
