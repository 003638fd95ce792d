import { describe, expect, test } from "vitest";
import type { FsckResult } from "../../stacks/workflow/fsck.ts";
import { commandBench } from "../testing/command-bench.ts";
import { fsckText, isWrong } from "./fsck.ts";

const bench = commandBench();

const well: FsckResult = { ledgerProblem: undefined, looked: { machines: 2, bursts: 1 }, findings: [] };
const unknown = { kind: "unknown-machine", burst: "b-x", found: "machine b-x-1 is there and no burst has it" } as const;
const looking = { fix: false, environment: "local" };

describe("fsck", () => {
  test("when nothing is wrong it says so", () => {
    expect(isWrong(well)).toBe(false);
    expect(fsckText(well, looking)).toBe("Looked at 2 machines of bursts and 1 burst of the ledger.\nNothing is wrong.");
  });

  test("what is found is left until it is mended, and the next step is told", () => {
    const found = { ...well, findings: [{ ...unknown, next: "./spillway fsck --fix local ends it." }] };
    expect(isWrong(found)).toBe(true);
    expect(fsckText(found, looking)).toContain(
      "  ✗ machine b-x-1 is there and no burst has it\n    ./spillway fsck --fix local ends it.\n1 finding left.",
    );
    const mended = { ...well, findings: [{ ...unknown, mended: "it was ended" }] };
    expect(isWrong(mended)).toBe(false);
    expect(fsckText(mended, { ...looking, fix: true })).toContain("    it was ended\n1 finding, all mended.");
    const failed = { ...well, findings: [{ ...unknown, failed: "no answer", next: "Run it again." }] };
    expect(isWrong(failed)).toBe(true);
    expect(fsckText(failed, { ...looking, fix: true })).toContain("could not be mended: no answer\n    Run it again.\n1 finding left.");
  });

  test("a ledger that can't be read is no clean bill of health", () => {
    const blind = { ...well, ledgerProblem: "the master does not answer" };
    expect(isWrong(blind)).toBe(true);
    expect(fsckText(blind, looking)).toContain("The ledger could not be read: the master does not answer");
  });

  test("two environments are refused", async () => {
    expect(await bench.run("--env", "prod", "fsck", "local")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("two environments"),
    });
    expect(await bench.run("fsck", "--mend")).toMatchObject({ code: 2 });
  });
});
