/** Does the steps of a rollout: on the machines over SSH, and by what the master says. */

import { short } from "../../../agent/contract/bundle-platform.ts";
import { createClient } from "../../../agent/contract/client.ts";
import { describeError, SpillwayError } from "../../../agent/contract/errors.ts";
import { revertRole } from "../../../bootstrap/actions/revert.ts";
import { endTrialOf, flipRole, lookAtSlots, type SlotRequest, stageRole } from "../../../bootstrap/actions/upgrade.ts";
import { identityFor } from "../../../bootstrap/machine-facts.ts";
import type { Slots, TrialNote } from "../../../bootstrap/slots.ts";
import { bundleAtHand } from "../bundle-at-hand.ts";
import { type MasterAccess, withPatientMaster } from "../master-access.ts";
import { isOutOfReach } from "../out-of-reach.ts";
import type { ResourceContext } from "../rpc.ts";
import { masterWell, nodesWell, runningTasks } from "./gate.ts";
import type { RolePlan } from "./roles.ts";
import type { StepResults, Steps, WorkingStep } from "./run.ts";
import { masterKey, type RolePhase, type RolloutState } from "./steps.ts";

/** What it takes to come to a machine. */
export interface Reach {
  readonly environment: string;
  readonly environmentId: string;
  readonly context: ResourceContext;
}

export interface RolloutWorld extends Reach {
  readonly access: MasterAccess;
  readonly healthTimeoutMs: number;
  readonly plans: readonly RolePlan[];
}

interface Before {
  /** Process of the master. */
  readonly pid: number | undefined;
  /** Names of the nodes that were ready. */
  readonly ready: readonly string[];
}

export function stepsOf(world: RolloutWorld): Steps {
  const { access, context, healthTimeoutMs } = world;
  const plans = new Map(world.plans.map((plan) => [plan.key, plan]));
  const planOf = (key: string): RolePlan => {
    const plan = plans.get(key);
    if (plan === undefined) throw new Error(`bug: no role ${key}`);
    return plan;
  };
  const notes = new Map(world.plans.flatMap(({ key, note }) => (note === undefined ? [] : [[key, note] as const])));
  let before: Before = { pid: undefined, ready: [] };

  const each = async (
    step: WorkingStep,
    state: RolloutState,
    act: (plan: RolePlan, tell: Tell) => Promise<Outcome>,
  ): Promise<StepResults> => {
    const results = step.keys.map(async (key) => {
      const tell = teller(context, step, state, key);
      return [key, told(await act(planOf(key), tell), tell)] as const;
    });
    return new Map(await Promise.all(results));
  };

  return {
    stage: (step, state) =>
      each(step, state, async (plan, tell) => {
        try {
          tell(`staging ${short(plan.to)}`);
          await stageRole({
            ...slotRequest(world, plan, tell),
            bundle: (platform, compression) => bundleAtHand(platform, { compression, onProgress: tell }),
          });
          return { phase: "staged" };
        } catch (error) {
          refuseCancelled(error);
          const isSkipped = plan.key !== masterKey && isOutOfReach(error);
          return { phase: isSkipped ? "skipped" : "failed", why: describeError(error) };
        }
      }),

    async flip(step, state) {
      const now = await withPatientMaster(access, async (client) => ({
        tasks: await runningTasks(client),
        pid: (await client.health()).pid,
        nodes: await client.nodes(),
      }));
      before = { pid: now.pid, ready: now.nodes.flatMap(({ name, state: is }) => (is === "ready" ? [name] : [])) };
      return await each(step, state, async (plan, tell) => {
        const tasks = plan.key === masterKey ? [...now.tasks.values()].flat() : (now.tasks.get(plan.machine.name) ?? []);
        const note: TrialNote = { ...(plan.from === undefined ? {} : { from: plan.from }), tasks };
        notes.set(plan.key, note);
        tell(`${short(plan.from ?? "?")} → ${short(plan.to)}`);
        const request = slotRequest(world, plan, tell);
        try {
          if (state.direction === "upgrade") await flipRole(request, plan.to, note);
          else await revertRole(request, plan.from ?? "");
          return { phase: "flipped" };
        } catch (error) {
          refuseCancelled(error);
          return { phase: "sick", why: describeError(error) };
        }
      });
    },

    async gate(step, state) {
      const problems = await problemsOf(step, state, (plan) => ({ bundle: plan.to, tasks: notes.get(plan.key)?.tasks ?? [] }));
      return await each(step, state, async (plan) => {
        const why = problems.get(plan.key);
        if (why !== undefined) return { phase: "sick", why };
        // What was left stays there until the next upgrade, so that it need not be brought again.
        if (state.direction === "upgrade")
          await endTrialOf(slotRequest(world, plan, () => undefined)).catch((error: unknown) =>
            context.log(`${plan.key}: ${describeError(error)}`),
          );
        return { phase: "healthy", why: `runs ${short(plan.to)}` };
      });
    },

    async revert(step, state) {
      const whys = new Map(
        state.roles.flatMap(({ key, phase, why }) => (phase === "sick" && why !== undefined ? [[key, why] as const] : [])),
      );
      const backOn = new Map<string, string>();
      const begun = await each(step, state, async (plan, tell) => {
        const why = whys.get(plan.key);
        tell(`goes back${why === undefined ? "" : `: ${why.split("\n")[0]}`}`);
        try {
          const { log, digest } = await revertRole(slotRequest(world, plan, tell), plan.to);
          if (digest !== undefined) backOn.set(plan.key, digest);
          return {
            phase: "reverted",
            why: [why ?? "its batch has failed", ...(why === undefined || log === "" ? [] : lastWords(log))].join("\n"),
          };
        } catch (error) {
          refuseCancelled(error);
          return { phase: "stuck", why: `${why ?? "its batch has failed"}; and it could not go back: ${describeError(error)}` };
        }
      });
      const back = step.keys.filter((key) => begun.get(key)?.phase === "reverted");
      const problems = await problemsOf({ ...step, keys: back }, state, (plan) => ({
        bundle: backOn.get(plan.key) ?? "",
        tasks: [],
      }));
      return new Map(
        [...begun].map(([key, result]) => {
          const problem = problems.get(key);
          return [
            key,
            problem === undefined ? result : { phase: "stuck" as const, why: `${result.why}; and it is not well again: ${problem}` },
          ];
        }),
      );
    },
  };

  /** Key → what is wrong with it. */
  async function problemsOf(
    step: WorkingStep,
    state: RolloutState,
    wanted: (plan: RolePlan) => { readonly bundle: string; readonly tasks: readonly string[] },
  ): Promise<Map<string, string>> {
    const client = createClient({ url: access.endpoint, ca: access.caCert, token: access.adminToken });
    const gate = (key: (name: string) => string) => ({
      client,
      timeoutMs: healthTimeoutMs,
      signal: context.signal,
      tell: (name: string, text: string) => teller(context, step, state, key(name))(text),
    });
    try {
      const found = new Map<string, string>();
      const nodes = step.keys.map(planOf).filter(({ key }) => key !== masterKey);
      if (step.keys.includes(masterKey)) {
        const problem = await masterWell(
          { ...wanted(planOf(masterKey)), pid: before.pid, nodes: before.ready },
          gate(() => masterKey),
        );
        if (problem !== undefined) found.set(masterKey, problem);
      }
      const patients = nodes.map((plan) => ({ node: plan.machine.name, ...wanted(plan) }));
      for (const [name, problem] of await nodesWell(
        patients,
        gate((node) => `node ${node}`),
      ))
        if (problem !== undefined) found.set(`node ${name}`, problem);
      return found;
    } finally {
      client.dispose();
    }
  }
}

/** What is in the slots of these roles by their keys, or why that can't be told. */
export async function slotsOf(reach: Reach, plans: readonly RolePlan[]): Promise<Map<string, Looked>> {
  const found = new Map<string, Looked>();
  const look = async (plan: RolePlan) => {
    try {
      found.set(plan.key, { slots: await lookAtSlots(slotRequest(reach, plan, () => undefined)) });
    } catch (error) {
      refuseCancelled(error);
      found.set(plan.key, { why: describeError(error).split("\n")[0] ?? "" });
    }
  };
  await Promise.all(plans.map(look));
  return found;
}

type Looked = { readonly slots: Slots } | { readonly why: string };

type Tell = (text: string) => void;
type Outcome = { readonly phase: RolePhase; readonly why?: string };

function slotRequest({ context, environment, environmentId }: Reach, { machine, role }: RolePlan, onProgress: Tell): SlotRequest {
  const identity = identityFor(machine, { environmentId, environment });
  return { machine, role, identity, onProgress, onSentence: context.sentence, signal: context.signal };
}

/** `4/12 batch 2: node rack-3 health 2/3`: read again by whoever shows a row for each. */
function teller({ status }: ResourceContext, { name }: WorkingStep, { roles, direction }: RolloutState, key: string): Tell {
  const nodes = roles.filter((role) => role.key !== masterKey && role.phase !== "same");
  const done = nodes.filter(({ phase }) => phase === "healthy").length;
  return (text) => status(`${done}/${nodes.length} ${name}${direction === "revert" ? " back" : ""}: ${key} ${text}`);
}

function told(outcome: Outcome, tell: Tell): Outcome {
  const word: Partial<Record<RolePhase, string>> = {
    healthy: "done",
    skipped: "left out",
    failed: "failed",
    stuck: "failed",
    reverted: "went back",
  };
  const ending = word[outcome.phase];
  if (ending !== undefined) tell(`${ending}: ${outcome.why?.split("\n")[0] ?? ""}`);
  if (outcome.phase !== "healthy") return outcome;
  return { phase: "healthy" };
}

function lastWords(log: string): string[] {
  return ["its last log lines there:", ...log.split("\n").map((line) => `    ${line}`)];
}

/** A cancelled run is no role's failure. */
function refuseCancelled(error: unknown): void {
  if (error instanceof SpillwayError && error.code === "cancelled") throw error;
}
