/** Runs a rollout step by step over whatever does the steps; what is where at the end is told also when it was cut off. */
import { applied, nextStep, type RolePhase, type RolloutState, type Step } from "./steps.ts";

export type WorkingStep = Extract<Step, { readonly batch: number }>;
/** What each role of a step has become. */
export type StepResults = ReadonlyMap<string, { readonly phase: RolePhase; readonly why?: string }>;

export type StepDoer = (step: WorkingStep, state: RolloutState) => Promise<StepResults>;
export type Steps = Readonly<Record<WorkingStep["kind"], StepDoer>>;

export interface Ended {
  readonly state: RolloutState;
  /** What broke the run off, a cancellation for instance; undefined when it came to its end, good or bad. */
  readonly fault?: Error;
}

export async function runSteps(begin: RolloutState, steps: Steps): Promise<Ended> {
  let state = begin;
  for (;;) {
    const step = nextStep(state);
    if (step.kind === "end") return { state };
    try {
      state = applied(state, step, await steps[step.kind](step, state));
    } catch (error) {
      return { state, fault: error instanceof Error ? error : new Error(String(error)) };
    }
  }
}
