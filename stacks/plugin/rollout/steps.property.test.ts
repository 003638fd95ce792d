import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { applied, masterKey, nextStep, type RolePhase, type RolloutRole, type RolloutState, type Step } from "./steps.ts";

/** What the world does to each role at each kind of step. */
interface Fate {
  readonly stage: "staged" | "failed" | "skipped";
  readonly flip: "flipped" | "sick";
  readonly gate: "healthy" | "sick";
  readonly revert: "reverted" | "stuck";
}

const usually = <T extends string>(good: T, ...others: T[]) =>
  fc.oneof({ weight: 9, arbitrary: fc.constant(good) }, ...others.map((other) => ({ weight: 1, arbitrary: fc.constant(other) })));
const fate: fc.Arbitrary<Fate> = fc.record({
  stage: usually("staged", "failed", "skipped"),
  flip: usually("flipped", "sick"),
  gate: usually("healthy", "sick"),
  revert: usually("reverted", "stuck"),
});

const scene = fc
  .record({
    nodes: fc.integer({ min: 0, max: 14 }),
    canary: fc.integer({ min: 0, max: 3 }),
    batch: fc.integer({ min: 1, max: 5 }),
    autoRevert: fc.boolean(),
    direction: fc.constantFrom("upgrade" as const, "revert" as const),
    masterIsDue: fc.boolean(),
    fates: fc.array(fate, { minLength: 15, maxLength: 15 }),
  })
  .map(({ nodes, masterIsDue, fates, ...rest }) => {
    const keys = [masterKey, ...Array.from({ length: nodes }, (_unused, index) => `node n-${index + 1}`)];
    const phase = (key: string): RolePhase => (key === masterKey && !masterIsDue ? "same" : "due");
    const roles: RolloutRole[] = keys.map((key) => ({ key, phase: phase(key) }));
    return { begin: { ...rest, roles } satisfies RolloutState, fates: new Map(keys.map((key, index) => [key, fates[index] as Fate])) };
  });

type Working = Extract<Step, { readonly batch: number }>;

function does(step: Working, state: RolloutState, fates: ReadonlyMap<string, Fate>): RolloutState {
  const results = step.keys.map((key) => {
    const phase = (fates.get(key) as Fate)[step.kind];
    // A master is never skipped: whoever stages it says that it has failed.
    return [key, { phase: key === masterKey && phase === "skipped" ? ("failed" as const) : phase }] as const;
  });
  return applied(state, step, new Map(results));
}

/** Every step with the state before it, to the end. */
function run({ begin, fates }: { begin: RolloutState; fates: ReadonlyMap<string, Fate> }, maxSteps = 200) {
  const steps: { step: Working; before: RolloutState }[] = [];
  let state = begin;
  for (let number = 0; number < maxSteps; number += 1) {
    const step = nextStep(state);
    if (step.kind === "end") return { steps, state, failed: step.failed };
    steps.push({ step, before: state });
    state = does(step, state, fates);
  }
  throw new Error("it does not end");
}

const keysIn = (state: RolloutState, ...phases: RolePhase[]) =>
  state.roles.filter(({ phase }) => phases.includes(phase)).map(({ key }) => key);

describe("a rollout", () => {
  it("comes to an end, and has done what was due where nothing has failed", () => {
    fc.assert(
      fc.property(scene, (given) => {
        const { state, failed } = run(given);
        if (failed) expect(keysIn(state, "failed", "sick", "reverted", "stuck")).not.toEqual([]);
        else expect(keysIn(state, "due", "staged", "flipped", "failed", "sick", "reverted", "stuck")).toEqual([]);
      }),
    );
  });

  it("has never more nodes flipped and not found well than a batch, or the canary, has", () => {
    fc.assert(
      fc.property(scene, (given) => {
        const { steps } = run(given);
        for (const { step, before } of steps) {
          const open = keysIn(does(step, before, given.fates), "flipped", "sick").filter((key) => key !== masterKey);
          expect(open.length).toBeLessThanOrEqual(Math.max(given.begin.batch, given.begin.canary));
        }
      }),
    );
  });

  it("flips the master alone: first on the way forth, last on the way back", () => {
    fc.assert(
      fc.property(scene, (given) => {
        const flips = run(given).steps.filter(({ step }) => step.kind === "flip");
        const at = flips.findIndex(({ step }) => step.keys.includes(masterKey));
        if (at === -1) return;
        expect(flips[at]?.step.keys).toEqual([masterKey]);
        expect(at).toBe(given.begin.direction === "upgrade" ? 0 : flips.length - 1);
      }),
    );
  });

  it("flips as many as the canary, and finds them well, before it flips a batch", () => {
    fc.assert(
      fc.property(scene, (given) => {
        const { canary, batch } = given.begin;
        for (const { step, before } of run(given).steps) {
          if (step.kind !== "flip" || step.keys.includes(masterKey)) continue;
          const proven = keysIn(before, "healthy").filter((key) => key !== masterKey).length;
          expect(step.keys.length).toBeLessThanOrEqual(proven < canary ? canary - proven : batch);
        }
      }),
    );
  });

  it("touches nothing else after the first failure, but to take back the batch that has failed", () => {
    fc.assert(
      fc.property(scene, (given) => {
        const { steps } = run(given);
        for (const { step, before } of steps) {
          const bad = before.roles.filter(({ phase }) => phase === "failed" || phase === "sick");
          if (bad.length === 0) continue;
          expect(step.kind).toBe("revert");
          expect(given.begin).toMatchObject({ autoRevert: true, direction: "upgrade" });
          const batches = new Set(bad.map((role) => role.batch));
          for (const key of step.keys) expect(batches).toContain(before.roles.find((role) => role.key === key)?.batch);
        }
      }),
    );
  });

  it("takes a failed batch back as a whole", () => {
    fc.assert(
      fc.property(scene, (given) => {
        fc.pre(given.begin.autoRevert && given.begin.direction === "upgrade");
        const { state, failed } = run(given);
        if (failed) expect(keysIn(state, "flipped", "sick")).toEqual([]);
      }),
    );
  });

  it("begun again after it was killed anywhere it does what is left, and each role ends where it would have ended", () => {
    fc.assert(
      fc.property(scene, fc.nat(), fc.boolean(), (given, killedAt, isGated) => {
        // In a world in which all goes well in the end.
        const fates = new Map([...given.fates.keys()].map((key) => [key, allWell]));
        const { steps } = run({ ...given, fates });
        if (steps.length === 0) return;
        const { step, before } = steps[killedAt % steps.length] as (typeof steps)[number];
        // The step was done or not; nothing of it is remembered, all is asked of master and machines again.
        const left = isGated ? does(step, before, fates) : before;
        const again: RolloutState = { ...left, roles: left.roles.map(foundAgain) };
        expect(keysIn(run({ begin: again, fates }).state, "same", "healthy")).toEqual(given.begin.roles.map(({ key }) => key));
      }),
    );
  });
});

const allWell: Fate = { stage: "staged", flip: "flipped", gate: "healthy", revert: "reverted" };

/** What a new run finds of a role: nobody remembers its batch; one that was flipped has the note of its trial. */
function foundAgain({ key, phase }: RolloutRole): RolloutRole {
  if (phase === "healthy") return { key, phase: "same" };
  return phase === "flipped" ? { key, phase, batch: 1 } : { key, phase: phase === "staged" ? "due" : phase };
}
