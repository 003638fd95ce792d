/**
 * Provider side of `Rollout`: moves the master and every node to the bundle at hand, batch by batch, each with a way back.
 * What is recorded is what was found well, never what was wished.
 */
import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { short } from "../../../agent/contract/bundle-platform.ts";
import { machine } from "../../../agent/contract/machine.ts";
import { bundlePlatformOf } from "../../../bootstrap/bundle-platform-of.ts";
import { batchSize, upgradeStrategy } from "../../upgrade-settings.ts";
import { upgradeWish } from "../../upgrade-wish.ts";
import { bundleAtHand } from "../bundle-at-hand.ts";
import { masterAccess, withMaster, withPatientMaster } from "../master-access.ts";
import { type Reach, slotsOf, stepsOf } from "../rollout/do-steps.ts";

import { nothingToRevert, outcomeOf, rolloutFailure } from "../rollout/outcome.ts";
import {
  everyRole,
  isUntold,
  nodeKey,
  type Recorded,
  type RolePlan,
  resumed,
  revertPlan,
  type Seen,
  targetOf,
  untold,
  upgradePlan,
} from "../rollout/roles.ts";
import { runSteps } from "../rollout/run.ts";
import { masterKey, type RolloutState } from "../rollout/steps.ts";
import { PartlyDone, type ResourceContext, type ResourceHandler, withoutMarks } from "../rpc.ts";

const inputs = masterAccess.extend({
  environment: z.string(),
  environmentId: z.string(),
  master: machine.describe("the machine of the master"),
  nodes: z.array(z.object({ machine, problem: z.string().optional().describe("why that machine is left out") })),
  strategy: upgradeStrategy,
  targets: z.record(z.string(), z.string()).describe("digest of the bundle by kind of machine; filled in by the plugin"),
});
const digests = z.record(z.string(), z.string()).default({});
const outputs = z.object({
  installed: digests.describe("role → the digest that it was found well with"),
  before: digests.describe("role → the digest that it can go back to"),
  running: digests.describe("as last read: roles that run something else than is recorded"),
  held: z.array(z.string()).default([]).describe("digests that were left by a revert: not gone to again unless asked"),
});
type Inputs = z.infer<typeof inputs>;
type Outputs = z.infer<typeof outputs>;

export const rollout: ResourceHandler<Inputs, Outputs> = {
  inputs,
  outputs,
  secrets: ["adminToken"],
  replaceOn: ["environmentId"],
  // What is to be done is told by what is installed.
  ignored: ["targets", "strategy"],
  complete,
  isDue,

  async create(spec, context) {
    const id = idOf(spec);
    return { id, outputs: await bringTo(spec, nothing, context) };
  },

  async read(_id, state) {
    try {
      const seen = await look(state);
      const running: Record<string, string> = {};
      const note = (key: string, digest: string | undefined) => {
        if (digest !== undefined && state.installed[key] !== undefined && state.installed[key] !== digest) running[key] = digest;
      };
      note(masterKey, seen.masterBundle);
      for (const { name, bundle } of seen.nodes) note(nodeKey(name), bundle);
      return { ...outputs.parse(state), running };
    } catch {
      // Whether the master needs mending is read on its own row.
      return outputs.parse(state);
    }
  },

  async update(_id, old, spec, context) {
    return await bringTo(spec, outputs.parse(old), context);
  },

  // Roles leave with their nodes and with the master.
  delete: async () => undefined,
};

const nothing: Outputs = { installed: {}, before: {}, running: {}, held: [] };

function idOf({ environmentId }: Pick<Inputs, "environmentId">): string {
  return `rollout-${environmentId}`;
}

/** New code on the operator's side means another digest for each kind of machine there is. */
async function complete(news: Record<string, unknown>): Promise<Record<string, unknown>> {
  const plain = z.object({ environment: z.string(), master: z.unknown(), nodes: z.array(z.unknown()) }).safeParse(withoutMarks(news));
  if (!plain.success) return { targets: {} };
  const { environment, master, nodes } = plain.data;
  const each = [master, ...nodes.map((node) => (node as { machine?: unknown } | null)?.machine)];
  // A machine that is not known yet is not built for: the next check, with its facts, is the one that counts.
  const known = each.flatMap((one) => machine.safeParse(one).data ?? []);
  const platforms = [...new Set(known.map((one) => bundlePlatformOf(one, one.attributes.arch)))];
  const built = await Promise.all(platforms.map(async (platform) => [platform, (await bundleAtHand(platform)).digest] as const));
  const targets = Object.fromEntries(built);
  checked.set(environment, targets);
  return { targets };
}

/** The targets as last checked, by environment: a refresh asks for the difference to former ones, which is nobody's news. */
const checked = new Map<string, Inputs["targets"]>();

function isDue(state: Outputs, spec: Inputs, tell: (text: string) => void): boolean {
  const wish = upgradeWish(spec.environment);
  if (wish === "revert") return true;
  const roles = [
    { key: masterKey, machine: spec.master },
    ...spec.nodes.flatMap(({ machine: at, problem }) => (problem === undefined ? [{ key: nodeKey(at.name), machine: at }] : [])),
  ];
  const due = roles.flatMap(({ key, machine: at }) => {
    const to = targetOf(spec.targets, at);
    const from = state.running[key] ?? state.installed[key];
    return to === undefined || (from === to && state.installed[key] === to) ? [] : [{ key, from, to }];
  });
  const [held, open] = [due.filter(isHeld), due.filter((one) => !isHeld(one))];
  if (isDeepStrictEqual(spec.targets, checked.get(spec.environment))) {
    const [reverted] = held;
    const back = `${rolesInWords(held)}; ./spillway upgrade ${spec.environment} lifts it`;
    if (reverted !== undefined) tell(`held back since the revert of ${short(reverted.to)}: ${back}`);
    const moves = Map.groupBy(open, ({ from, to }) => `${short(from ?? "an unknown bundle")} → ${short(to)}`);
    for (const [move, group] of moves) tell(`${rolesInWords(group, spec.nodes.length)}: ${move}`);
  }
  return open.length > 0 || (wish === "upgrade" && state.held.length > 0);

  function isHeld({ to }: { readonly to: string }): boolean {
    return wish !== "upgrade" && state.held.includes(to);
  }
}

/** `the master and 9 of 12 nodes` */
function rolesInWords(roles: readonly { readonly key: string }[], all?: number): string {
  const nodes = roles.filter(({ key }) => key !== masterKey).length;
  const counted = nodes === 0 ? [] : [`${nodes}${all === undefined ? "" : ` of ${all}`} ${(all ?? nodes) === 1 ? "node" : "nodes"}`];
  return [...(nodes < roles.length ? ["the master"] : []), ...counted].join(" and ");
}

async function look(spec: Inputs, patient = false): Promise<Seen> {
  return await (patient ? withPatientMaster : withMaster)(spec, async (client) => ({
    masterBundle: (await client.health()).bundle,
    nodes: await client.nodes(),
  }));
}

async function bringTo(spec: Inputs, former: Outputs, context: ResourceContext): Promise<Outputs> {
  const wish = upgradeWish(spec.environment);
  const recorded = { ...former, held: wish === "upgrade" ? [] : former.held };
  const direction = wish === "revert" ? "revert" : "upgrade";
  const seen = await look(spec, true);
  const plans = direction === "revert" ? await plansBack(spec, seen, context) : await plansForth(spec, seen, recorded, context);
  // A machine that can't be used is told by whoever looked at it.
  const known = new Set(spec.nodes.flatMap(({ machine: at, problem }) => (problem === undefined ? [] : [nodeKey(at.name)])));
  for (const { key, phase, why } of plans) if (phase === "skipped" && !known.has(key)) context.log(`${key} is left out: ${why}`);

  const { canary, batch, autoRevert, healthTimeoutMs } = spec.strategy;
  const begin: RolloutState = { direction, canary, autoRevert, batch: batchSize(batch, spec.nodes.length), roles: plans.map(roleOf) };
  const { state, fault } = await runSteps(begin, stepsOf({ ...reachOf(spec, context), access: spec, plans, healthTimeoutMs }));
  for (const { key, phase, why, batch: tried } of state.roles)
    if (phase === "skipped" && tried !== undefined) context.log(`${key} was left out: ${why}`);

  const { installed, before, held, isNew, hasMoved } = outcomeOf(plans, state, recorded);
  const found: Outputs = { installed, before, held: [...held], running: {} };
  const failure = fault ?? rolloutFailure(state, spec.environment);
  // Where all is as it was recorded the old state stays, and it is true.
  if (failure !== undefined) throw isNew ? new PartlyDone(failure, { id: idOf(spec), outputs: found }) : failure;
  if (direction === "revert" && !hasMoved && held.length === former.held.length) throw nothingToRevert(spec.environment);
  return found;
}

function roleOf({ key, phase, why }: RolePlan): RolloutState["roles"][number] {
  // What was begun by a run that was cut off is judged before anything else.
  return { key, phase, ...(phase === "flipped" ? { batch: 1 } : {}), ...(why === undefined ? {} : { why }) };
}

function reachOf({ environment, environmentId }: Inputs, context: ResourceContext): Reach {
  return { environment, environmentId, context };
}

async function plansForth(spec: Inputs, seen: Seen, recorded: Recorded, context: ResourceContext): Promise<RolePlan[]> {
  const plans = upgradePlan(spec, seen, recorded);
  const looked = await slotsOf(
    reachOf(spec, context),
    plans.filter((plan) => plan.isTrial === true || isUntold(plan)),
  );
  return plans.map((plan) => {
    const one = looked.get(plan.key);
    if (one === undefined) return plan;
    if ("slots" in one) return isUntold(plan) ? untold(plan, one.slots) : resumed(plan, one.slots);
    return plan.key === masterKey ? plan : { ...plan, phase: "skipped", why: one.why };
  });
}

async function plansBack(spec: Inputs, seen: Seen, context: ResourceContext): Promise<RolePlan[]> {
  const plans = everyRole(spec, seen);
  const looked = await slotsOf(
    reachOf(spec, context),
    plans.filter(({ phase }) => phase !== "skipped"),
  );
  return plans.map((plan) => {
    const one = looked.get(plan.key);
    if (one === undefined) return plan;
    return "slots" in one ? revertPlan(plan, one.slots) : { ...plan, phase: "skipped", why: one.why };
  });
}
