import { expect, it } from "vitest";
import { heldAfter, isUntold, type RolePlan, resumed, revertPlan, type Seen, untold, upgradePlan, type Wanted } from "./roles.ts";
import { aMachine, aNode } from "./testing/builders.ts";

const wanted: Wanted = {
  master: aMachine("a"),
  nodes: [{ machine: aMachine("a") }, { machine: aMachine("b") }, { machine: aMachine("c") }],
  targets: { "linux-x64": "new" },
};
const nothing = { installed: {}, held: [] };

function seen(bundles: Record<string, string>, masterBundle: string | undefined = "old"): Seen {
  return { masterBundle, nodes: Object.entries(bundles).map(([name, bundle]) => aNode(name, { bundle })) };
}

const phases = (plans: readonly RolePlan[]) => Object.fromEntries(plans.map(({ key, phase }) => [key, phase]));

it("moves the master and every node that runs something else", () => {
  expect(phases(upgradePlan(wanted, seen({ a: "old", b: "new", c: "old" }), nothing))).toEqual({
    master: "due",
    "node a": "due",
    "node b": "same",
    "node c": "due",
  });
});

it("leaves out what is silent, unknown or can't be used, each with why", () => {
  const nodes = [aNode("a", { state: "disconnected", stateReason: "no connection for 20 s" })];
  const plans = upgradePlan(
    { ...wanted, nodes: [...wanted.nodes.slice(0, 2), { machine: aMachine("c"), problem: "no space\nmore" }] },
    { masterBundle: "new", nodes },
    nothing,
  );
  expect(plans.map(({ why }) => why)).toEqual([
    undefined,
    "it is disconnected (no connection for 20 s)",
    "the master does not know it",
    "no space",
  ]);
  expect(new Set(plans.slice(1).map(({ phase }) => phase))).toEqual(new Set(["skipped"]));
});

it("does not go where a revert has come from", () => {
  const plans = upgradePlan(wanted, seen({ a: "old", b: "old", c: "old" }), { installed: {}, held: ["new"] });
  expect(new Set(plans.map(({ phase }) => phase))).toEqual(new Set(["same"]));
  expect(plans[0]?.why).toBe("held back since the revert of new");
});

it("looks closer at what runs the new bundle though nobody has recorded that it is well", () => {
  const known = { installed: { master: "new", "node a": "old", "node b": "new" }, held: [] };
  const plans = upgradePlan(wanted, seen({ a: "new", b: "new", c: "new" }, "new"), known);
  expect(plans.filter(({ isTrial }) => isTrial).map(({ key }) => key)).toEqual(["node a"]);
  const [, trial] = plans as [RolePlan, RolePlan];
  expect(resumed(trial, { whole: true, current: "new", before: "old" })).toMatchObject({ phase: "same" });
  expect(resumed(trial, { whole: true, current: "old" })).toMatchObject({ phase: "due", from: "old" });
  const note = { from: "old", tasks: ["job.0.1"] };
  expect(resumed(trial, { whole: true, current: "new", before: "old", trial: note })).toMatchObject({
    phase: "flipped",
    from: "old",
    note,
  });
});

it("asks no machine of a new environment, where all runs what it was given", () => {
  const plans = upgradePlan(wanted, seen({ a: "new", b: "new", c: "new" }, "new"), nothing);
  expect(plans.filter((plan) => plan.isTrial === true || plan.phase !== "same")).toEqual([]);
});

it("asks the machine of a master that does not say what it runs", () => {
  const [master] = upgradePlan(wanted, { masterBundle: undefined, nodes: [] }, nothing) as [RolePlan];
  expect(isUntold(master)).toBe(true);
  expect(untold(master, { whole: true, current: "new" })).toMatchObject({ phase: "same", from: "new" });
  expect(untold(master, { whole: true, current: "old" })).toMatchObject({ phase: "due", from: "old" });
  // Pointed there and not started anew.
  expect(untold(master, { whole: true, current: "new", trial: { tasks: [] } })).toMatchObject({ phase: "due" });
});

it("goes back where a slot before is there, or where a run was cut off on the way back", () => {
  const [plan] = upgradePlan(wanted, seen({}, "new"), nothing) as [RolePlan];
  expect(revertPlan(plan, { whole: true, current: "new", before: "old" })).toMatchObject({ phase: "due", from: "new", to: "old" });
  expect(revertPlan(plan, { whole: true, current: "old" })).toMatchObject({ phase: "due", from: "new", to: "old" });
  expect(revertPlan({ ...plan, from: "old" }, { whole: true, current: "old" })).toMatchObject({ phase: "same" });
});

it("holds back what was left, also by a run that was cut off before it could say so", () => {
  const known = { installed: { "node a": "new", "node b": "new" }, held: [] };
  const plan = (key: string, over: Partial<RolePlan>): RolePlan => ({
    key,
    role: "agent",
    machine: aMachine("a"),
    from: "new",
    to: "old",
    phase: "due",
    ...over,
  });
  expect(heldAfter([plan("node a", {})], new Set(["node a"]), known)).toEqual(["new"]);
  expect(heldAfter([plan("node b", { phase: "same", from: "old" })], new Set(), known)).toEqual(["new"]);
  expect(heldAfter([plan("node b", { phase: "same" })], new Set(), known)).toEqual([]);
});
