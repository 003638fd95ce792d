/** Which roles an environment has, what each runs by the master's word, and what is to become of it; pure. */

import { short } from "../../../agent/contract/bundle-platform.ts";
import type { AgentRole } from "../../../agent/contract/install-layout.ts";
import type { Machine } from "../../../agent/contract/machine.ts";
import type { NodeView } from "../../../agent/contract/node.ts";
import { bundlePlatformOf } from "../../../bootstrap/bundle-platform-of.ts";
import type { Slots, TrialNote } from "../../../bootstrap/slots.ts";
import { masterKey, type RolePhase } from "./steps.ts";

/** Digests by the kind of machine they are for. */
export type Targets = Readonly<Record<string, string>>;

export interface Wanted {
  /** The master's machine. */
  readonly master: Machine;
  readonly nodes: readonly { readonly machine: Machine; readonly problem?: string | undefined }[];
  readonly targets: Targets;
}

/** What is recorded of former rollouts. */
export interface Recorded {
  /** Role → the digest that it was found well with. */
  readonly installed: Readonly<Record<string, string>>;
  /** Digests that were left by a revert. */
  readonly held: readonly string[];
}

/** What the master says. */
export interface Seen {
  /** Undefined: a master before 0.4, which does not say. */
  readonly masterBundle: string | undefined;
  readonly nodes: readonly SeenNode[];
}

type SeenNode = Pick<NodeView, "name" | "state" | "stateReason"> & { readonly bundle?: string | undefined };

export interface RolePlan {
  readonly key: string;
  readonly role: AgentRole;
  readonly machine: Machine;
  /** What it runs now, where that is known. */
  readonly from: string | undefined;
  readonly to: string;
  readonly phase: RolePhase;
  readonly why?: string;
  /** It runs what it is to run, and nobody has recorded yet that it is well. */
  readonly isTrial?: boolean;
  readonly note?: TrialNote;
}

export function nodeKey(name: string): string {
  return `node ${name}`;
}

/** The digest that is meant for a machine; undefined before its kind is known. */
export function targetOf(targets: Targets, machine: Machine): string | undefined {
  return targets[bundlePlatformOf(machine, machine.attributes.arch)];
}

/** What `upgrade` has to do with each role. `held`: digests that are left alone. */
export function upgradePlan(wanted: Wanted, seen: Seen, { installed, held }: Recorded): RolePlan[] {
  const plans = everyRole(wanted, seen).map((one): RolePlan => {
    if (one.phase === "skipped") return one;
    if (one.from === one.to) return one;
    if (held.includes(one.to)) return { ...one, phase: "same", why: `held back since the revert of ${short(one.to)}` };
    return { ...one, phase: "due" };
  });
  const anyDue = plans.some(({ phase }) => phase === "due");
  return plans.map((one) => {
    if (one.phase !== "same" || one.from !== one.to) return one;
    const known = installed[one.key];
    return (known === undefined ? anyDue : known !== one.to) ? { ...one, isTrial: true } : one;
  });
}

/** One that was started from its bundle by a run that was cut off has a note of its trial; without one it is as it should be. */
export function resumed(plan: RolePlan, slots: Slots): RolePlan {
  // Pointed back since it was not well, and not started anew: whoever wants that bundle tries it anew.
  if (slots.current !== undefined && slots.current !== plan.to) return { ...plan, phase: "due", from: slots.current };
  if (slots.trial === undefined) return plan;
  const from = slots.trial.from ?? slots.before;
  return { ...plan, phase: "flipped", note: slots.trial, from };
}

/** Whether it is due only since nobody says what it runs: a master before 0.4. */
export function isUntold({ phase, from }: RolePlan): boolean {
  return phase === "due" && from === undefined;
}

/** Its slots say it then, unless it was pointed there and not started anew. */
export function untold(plan: RolePlan, { current, trial }: Slots): RolePlan {
  if (current === undefined || trial !== undefined) return plan;
  return { ...plan, from: current, phase: current === plan.to ? "same" : plan.phase };
}

/** What a revert has to do with a role whose slots were looked at. */
export function revertPlan(plan: RolePlan, { current, before }: Slots): RolePlan {
  if (before !== undefined) return { ...plan, from: current ?? plan.from, to: before, phase: "due" };
  // Pointed back and not started anew by a run that was cut off.
  if (current !== undefined && plan.from !== undefined && plan.from !== current) return { ...plan, to: current, phase: "due" };
  return { ...plan, to: current ?? plan.to, phase: "same" };
}

/** The digests that a revert has left: those of this run, of former ones, and of one that was cut off before it could record them. */
export function heldAfter(plans: readonly RolePlan[], left: ReadonlySet<string>, { installed, held }: Recorded): string[] {
  const found = new Set(held);
  for (const { key, from, to, phase } of plans) {
    const recorded = installed[key];
    if (left.has(key) && from !== undefined && from !== to) found.add(from);
    else if (phase === "same" && recorded !== undefined && from !== undefined && recorded !== from) found.add(recorded);
  }
  return [...found].toSorted();
}

/** Every role, with nothing to do yet; those that can't be worked on are left out, each with why. */
export function everyRole({ master, nodes, targets }: Wanted, { masterBundle, nodes: known }: Seen): RolePlan[] {
  const all: RolePlan[] = [];
  const to = targetOf(targets, master);
  if (to !== undefined) all.push({ key: masterKey, role: "master", machine: master, from: masterBundle, to, phase: "same" });
  for (const { machine, problem } of nodes) {
    const view = known.find(({ name }) => name === machine.name);
    const target = targetOf(targets, machine);
    if (target === undefined) continue;
    const why = problem ?? whyLeftOut(view);
    const one = { key: nodeKey(machine.name), role: "agent" as const, machine, from: view?.bundle, to: target };
    all.push(why === undefined ? { ...one, phase: "same" } : { ...one, phase: "skipped", why: why.split("\n")[0] ?? why });
  }
  return all;
}

function whyLeftOut(view: SeenNode | undefined): string | undefined {
  if (view === undefined) return "the master does not know it";
  if (view.state === "ready" || view.state === "suspect") return undefined;
  return `it is ${view.state} (${view.stateReason})`;
}
