import { expect, it } from "vitest";
import type { PlannedRole, UpgradePlan } from "../../stacks/workflow/upgrade.ts";
import { planLines } from "./upgrade.ts";

const strategy = { canary: 1, batch: "25%", healthTimeoutMs: 60_000, autoRevert: true, batchNodes: 3 };
const aRole = (name: string, over: Partial<PlannedRole> = {}): PlannedRole => ({
  name,
  from: "3f2ac1ffff",
  fromVersion: "0.3.0",
  to: "9bc104ffff",
  what: "moves",
  ...over,
});
const aPlan = (over: Partial<UpgradePlan> = {}): UpgradePlan => ({
  roles: [aRole("master"), aRole("node a"), aRole("node b", { what: "left out", why: "it is disconnected" })],
  strategy,
  uploads: { machines: 2, bytes: 88 * 1024 ** 2 },
  held: [],
  ...over,
});

it("says who moves from what to what, in which order, and what is brought to them", () => {
  const text = planLines(aPlan(), "upgrade").join("\n");
  expect(text).toMatch(/^ {2}node a +3f2ac1 0\.3\.0 +→ 9bc104 /m);
  expect(text).toMatch(/^ {2}node b .*left out: it is disconnected$/m);
  expect(text).toContain("the master, then 1 node first, then 3 at a time; each has 1 min to be well; a batch that fails goes back");
  expect(text).toContain("to be brought to 2 machines: 88.0 MiB at most");
});

it("says what a revert holds back and would be lifted, and that there is nothing to do", () => {
  expect(planLines(aPlan({ held: ["9bc104ffff"] }), "upgrade").at(-1)).toBe("  lifts what the revert of 9bc104 holds back");
  const roles = [aRole("master", { what: "stays" })];
  expect(planLines(aPlan({ roles }), "upgrade").at(-1)).toBe("  Everything runs this version.");
});

it("says on the way back where each role goes, as far as that is on record", () => {
  const text = planLines(aPlan({ roles: [aRole("node a", { to: "3f2ac1ffff" }), aRole("node b", { to: undefined })] }), "revert").join(
    "\n",
  );
  expect(text).toMatch(/^ {2}node a .*→ 3f2ac1$/m);
  expect(text).toMatch(/^ {2}node b .*→ the bundle before$/m);
});

it("says that the master does not answer, and what the plan rests on then", () => {
  const text = planLines(aPlan({ masterProblem: "the master can't be reached" }), "upgrade").join("\n");
  expect(text).toMatch(/the master can't be reached\n.*what was recorded last/);
});
