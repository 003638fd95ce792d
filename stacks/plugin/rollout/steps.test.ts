import { expect, it } from "vitest";
import { applied, nextStep, type RolePhase, type RolloutState, type Step } from "./steps.ts";

const all = ["master", "node a", "node b", "node c", "node d"];

function aRollout(over: Partial<RolloutState> = {}): RolloutState {
  return { direction: "upgrade", canary: 1, batch: 2, autoRevert: true, roles: all.map((key) => ({ key, phase: "due" })), ...over };
}

/** Every step of a world in which each role becomes what `fate` says, else what is good; as one line each. */
function stepsOf(begin: RolloutState, fate: (kind: Step["kind"], key: string) => RolePhase | undefined = () => undefined): string[] {
  const good = { stage: "staged", flip: "flipped", gate: "healthy", revert: "reverted" } as const;
  const lines: string[] = [];
  let state = begin;
  for (;;) {
    const step = nextStep(state);
    if (step.kind === "end") return [...lines, step.failed ? "failed" : "done"];
    lines.push(`${step.name}: ${step.kind} ${step.keys.join(", ")}`);
    state = applied(state, step, new Map(step.keys.map((key) => [key, { phase: fate(step.kind, key) ?? good[step.kind] }])));
  }
}

it("goes from the master over the canary to batches, each staged, flipped and found well before the next", () => {
  expect(stepsOf(aRollout())).toEqual([
    "master: stage master",
    "master: flip master",
    "master: gate master",
    "canary: stage node a",
    "canary: flip node a",
    "canary: gate node a",
    "batch 1: stage node b, node c",
    "batch 1: flip node b, node c",
    "batch 1: gate node b, node c",
    "batch 2: stage node d",
    "batch 2: flip node d",
    "batch 2: gate node d",
    "done",
  ]);
});

it("takes the canary back when it is not well, and touches nobody else", () => {
  expect(stepsOf(aRollout(), (kind, key) => (kind === "gate" && key === "node a" ? "sick" : undefined)).slice(3)).toEqual([
    "canary: stage node a",
    "canary: flip node a",
    "canary: gate node a",
    "canary: revert node a",
    "failed",
  ]);
});

it("leaves it as it is where it is not to go back by itself", () => {
  const steps = stepsOf(aRollout({ autoRevert: false }), (kind, key) => (kind === "gate" && key === "node a" ? "sick" : undefined));
  expect(steps.slice(-2)).toEqual(["canary: gate node a", "failed"]);
});

it("takes a whole batch back, also those that are well", () => {
  const steps = stepsOf(aRollout(), (kind, key) => (kind === "gate" && key === "node c" ? "sick" : undefined));
  expect(steps.slice(-2)).toEqual(["batch 1: revert node b, node c", "failed"]);
});

it("takes another node for the canary when the first is out of reach", () => {
  const steps = stepsOf(aRollout(), (kind, key) => (kind === "stage" && key === "node a" ? "skipped" : undefined));
  expect(steps.slice(3, 6)).toEqual(["canary: stage node a", "canary: stage node b", "canary: flip node b"]);
});

it("goes back without staging, the master last", () => {
  expect(stepsOf(aRollout({ direction: "revert", canary: 0, batch: 4 }))).toEqual([
    "batch 1: flip node a, node b, node c, node d",
    "batch 1: gate node a, node b, node c, node d",
    "master: flip master",
    "master: gate master",
    "done",
  ]);
});

it("judges first what a run that was cut off has begun", () => {
  const roles = aRollout().roles.map((role) => (role.key === "node a" ? { ...role, phase: "flipped" as const, batch: 1 } : role));
  const steps = stepsOf(aRollout({ roles }), (kind) => (kind === "gate" ? "sick" : undefined));
  expect(steps).toEqual(["canary: gate node a", "canary: revert node a", "failed"]);
});
