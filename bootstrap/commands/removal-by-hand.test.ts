import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { installLayout, taskUnits, unitOf } from "../../agent/contract/install-layout.ts";
import { initScriptOf } from "./openrc.ts";
import { removalByHand } from "./removal-by-hand.ts";

const line = removalByHand();

test("is one line that a POSIX shell understands", () => {
  expect(line).not.toContain("\n");
  execFileSync("sh", ["-n", "-c", line]);
});

test("ends and deletes everything that an installation has: units, tasks, directories", () => {
  const layout = installLayout("");
  for (const role of ["agent", "master"] as const) {
    expect(line).toContain(unitOf(role));
    expect(line).toContain(layout.unitFile(role));
    expect(line).toContain(initScriptOf(role));
  }
  expect(line).toContain(taskUnits);
  expect(line.endsWith(`rm -rf ${layout.owned.join(" ")}`)).toBe(true);
});
