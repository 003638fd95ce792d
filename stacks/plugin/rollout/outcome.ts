/** What a rollout has come to: what is recorded of it, and what is told when it has failed; pure. */
import { SpillwayError } from "../../../agent/contract/errors.ts";
import { heldAfter, type Recorded, type RolePlan } from "./roles.ts";
import { masterKey, type RolePhase, type RolloutState } from "./steps.ts";

export interface Outcome {
  /** Role → the digest that it was found well with. */
  readonly installed: Readonly<Record<string, string>>;
  /** Role → the digest that it can go back to. */
  readonly before: Readonly<Record<string, string>>;
  readonly held: readonly string[];
  /** Whether it is another thing than was recorded before. */
  readonly isNew: boolean;
  /** Whether a role runs something else now. */
  readonly hasMoved: boolean;
}

export function outcomeOf(plans: readonly RolePlan[], state: RolloutState, known: Recorded & Pick<Outcome, "before">): Outcome {
  const phases = new Map(state.roles.map(({ key, phase }) => [key, phase]));
  const installed: Record<string, string> = {};
  const before: Record<string, string> = {};
  for (const plan of plans) {
    const phase = phases.get(plan.key) ?? "same";
    const digest = wellWith(plan, phase, known.installed[plan.key]);
    if (digest !== undefined) installed[plan.key] = digest;
    const slot = slotOf(plan, phase, state, known.before[plan.key]);
    if (slot !== undefined) before[plan.key] = slot;
  }
  const left = new Set(plans.flatMap(({ key }) => (phases.get(key) === "healthy" ? [key] : [])));
  const hasMoved = left.size > 0;
  const isUnsettled = [...phases.values()].some((phase) => phase === "flipped" || phase === "sick" || phase === "stuck");
  const isAnother = Object.entries(known.installed).some(([key, digest]) => installed[key] !== undefined && installed[key] !== digest);
  const held =
    state.direction === "revert" ? heldAfter(plans, left, known) : known.held.filter((digest) => plans.some(({ to }) => to === digest));
  return { installed, before, held, hasMoved, isNew: hasMoved || isUnsettled || isAnother };
}

function wellWith({ from, to }: RolePlan, phase: RolePhase, recorded: string | undefined): string | undefined {
  if (phase === "healthy") return to;
  // What it runs has not been found well, or can't be looked at.
  if (phase === "flipped" || phase === "sick" || phase === "stuck" || phase === "skipped")
    return recorded ?? (from === to ? undefined : from);
  return from ?? recorded;
}

function slotOf({ from, to }: RolePlan, phase: RolePhase, { direction }: RolloutState, recorded: string | undefined): string | undefined {
  if (phase === "reverted") return undefined;
  if (phase !== "healthy") return recorded;
  return direction === "upgrade" && from !== to ? from : undefined;
}

/** Undefined when nothing has failed. */
export function rolloutFailure(state: RolloutState, environment: string): SpillwayError | undefined {
  const bad = state.roles.filter(
    ({ phase, why }) => ["failed", "sick", "stuck"].includes(phase) || (phase === "reverted" && why !== undefined),
  );
  if (bad.length === 0) return undefined;
  const nodes = state.roles.filter(({ key }) => key !== masterKey);
  const moved = nodes.filter(({ phase }) => phase === "healthy").length;
  const master = state.roles.some(({ key, phase }) => key === masterKey && phase === "healthy") ? "the master and " : "";
  const what = state.direction === "upgrade" ? "upgrade" : "way back";
  const lines = bad.map(
    ({ key, phase, why }) => `  ${key} ${became[phase]}${why === undefined ? "" : `: ${why.split("\n").join("\n    ")}`}`,
  );
  return new SpillwayError(
    `the ${what} has stopped; ${master}${moved} of ${nodes.length} nodes were moved, and no other was touched.\n${lines.join("\n")}`,
    {
      code: "rollout-failed",
      where: `environment ${environment}`,
      hint:
        state.direction === "upgrade"
          ? `To try again: ./spillway upgrade ${environment}. To take back what was moved: ./spillway upgrade ${environment} --revert`
          : `To go on: ./spillway upgrade ${environment} --revert`,
    },
  );
}

const became: Partial<Record<RolePhase, string>> = {
  failed: "was not touched",
  sick: "runs the new bundle and is not well",
  reverted: "has gone back",
  stuck: "is not well",
};

/** Throws when a revert has found no role that could go back. */
export function nothingToRevert(environment: string): SpillwayError {
  return new SpillwayError("no role has a bundle to go back to: each runs the first it was given, or has gone back already", {
    code: "nothing-to-revert",
    where: `environment ${environment}`,
    hint: `./spillway upgrade ${environment} goes to the bundle of this checkout.`,
  });
}
