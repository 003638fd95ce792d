import { expect, it } from "vitest";
import { outcomeOf, rolloutFailure } from "./outcome.ts";
import type { RolePlan } from "./roles.ts";
import type { RolePhase, RolloutState } from "./steps.ts";
import { aMachine } from "./testing/builders.ts";

const plan = (key: string, over: Partial<RolePlan> = {}): RolePlan => ({
  key,
  role: "agent",
  machine: aMachine("a"),
  from: "old",
  to: "new",
  phase: "due",
  ...over,
});
const plans = [plan("master"), plan("node a"), plan("node b")];
const known = { installed: { master: "old", "node a": "old", "node b": "old" }, before: {}, held: [] };

function state(phases: Record<string, RolePhase>, direction: "upgrade" | "revert" = "upgrade"): RolloutState {
  const roles = plans.map(({ key }) => ({
    key,
    phase: phases[key] ?? "due",
    ...(phases[key] === "reverted" ? { why: "it was not well" } : {}),
  }));
  return { direction, canary: 1, batch: 1, autoRevert: true, roles };
}

it("records what was found well, and what each can go back to", () => {
  const all = state({ master: "healthy", "node a": "healthy", "node b": "healthy" });
  expect(outcomeOf(plans, all, known)).toMatchObject({
    installed: { master: "new", "node a": "new", "node b": "new" },
    before: { master: "old", "node a": "old", "node b": "old" },
    held: [],
  });
  expect(rolloutFailure(all, "prod")).toBeUndefined();
});

it("has nothing new to record when all that was begun has gone back", () => {
  const back = state({ master: "same", "node a": "reverted" });
  expect(outcomeOf([plan("master", { to: "old" }), ...plans.slice(1)], back, known)).toMatchObject({
    isNew: false,
    installed: known.installed,
  });
  expect(rolloutFailure(back, "prod")?.message).toMatch(
    /0 of 2 nodes were moved, and no other was touched\.\n {2}node a has gone back: it was not well/,
  );
});

it("records a mixture, and never as well what was not found so", () => {
  const mixed = state({ master: "healthy", "node a": "sick" });
  expect(outcomeOf(plans, mixed, known)).toMatchObject({ isNew: true, installed: { master: "new", "node a": "old", "node b": "old" } });
  expect(rolloutFailure(mixed, "prod")?.message).toMatch(/the master and 0 of 2 nodes were moved/);
});

it("is new also when a node is neither well nor back", () => {
  expect(outcomeOf(plans, state({ "node a": "stuck" }), known).isNew).toBe(true);
});

it("records on the way back what was left, and no slot any more", () => {
  const back = plans.map((one) => ({ ...one, from: "new", to: "old" }));
  const before = { installed: { master: "new", "node a": "new", "node b": "new" }, before: { "node a": "old" }, held: [] };
  const all = state({ master: "healthy", "node a": "healthy", "node b": "healthy" }, "revert");
  expect(outcomeOf(back, all, before)).toMatchObject({ installed: known.installed, before: {}, held: ["new"] });
});

it("forgets what it held back once another bundle is meant", () => {
  const all = state({ master: "same", "node a": "same", "node b": "same" });
  expect(outcomeOf(plans, all, { ...known, held: ["new", "older"] }).held).toEqual(["new"]);
});
