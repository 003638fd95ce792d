/**
 * Runs burst plans when something has changed, and now and then while something waits or costs: a plan is made apart from
 * everything else on a copy of what is there, then applied to what is there by then. One is under way at a time.
 */
import { describeError } from "../../contract/errors.ts";
import { inBackground, type Leader } from "../leader.ts";
import { replacedFirst } from "../lifecycle/replaced-first.ts";
import { applyPlan } from "./apply.ts";
import { watchBurster } from "./burster.ts";
import { extendLives } from "./facts.ts";
import { nextLook } from "./next-look.ts";
import type { PlanInput } from "./plan.ts";
import { createPlanner, type Planner } from "./planner.ts";
import { planInput } from "./snapshot.ts";
import { windDown } from "./wind-down.ts";

/** Changes that come within this time make one plan. */
export const planPauseMs = 500;
/** While something waits or costs, a plan is made at least this often. */
export const planIntervalMs = 5000;
/** How often it is looked at whether a plan, or longer lives, are due. */
const tickMs = 1000;
/** After a plan that could not be made. */
const failurePauseMs = 5000;

/** Makes `leader.bursting.requestPlan` work; returns how to end it. */
export function startBurstRounds(leader: Leader): () => Promise<void> {
  const { bursting, clock, shutdown } = leader;
  let lastAt = Number.NEGATIVE_INFINITY;
  let underWay = false;
  let requested = false;
  let cancelTimer = () => {};
  let notBefore = Number.NEGATIVE_INFINITY;

  function request(): void {
    if (shutdown.signal.aborted || requested) return;
    requested = true;
    if (!underWay) schedule();
  }

  function schedule(): void {
    cancelTimer();
    const pauseMs = Math.max(lastAt + planPauseMs, notBefore) - clock.monotonic();
    if (pauseMs > 0) cancelTimer = clock.after(pauseMs, begin);
    else setImmediate(begin);
  }

  function begin(): void {
    if (!requested || underWay || shutdown.signal.aborted) return;
    requested = false;
    underWay = true;
    void round();
  }

  async function round(): Promise<void> {
    let made: BurstRound | undefined;
    const begunAt = clock.monotonic();
    try {
      made = await runBurstRound(leader);
      // Looking that there is nothing to plan keeps no plan waiting.
      if (made !== undefined) lastAt = begunAt;
    } catch (error) {
      if (leader.writer.fault() === undefined && !shutdown.signal.aborted)
        leader.log("error", "bursts", `no plan could be made: ${describeError(error)}`);
      notBefore = clock.monotonic() + failurePauseMs;
      requested = true;
    }
    underWay = false;
    if (requested) schedule();
    else if (made?.nextAt !== undefined) cancelTimer = clock.after(Math.max(planPauseMs, made.nextAt - clock.now()), request);
  }

  bursting.requestPlan = request;
  const cancelTick = clock.every(tickMs, () => {
    if (leader.writer.fault() !== undefined) return;
    watchBurster(leader);
    inBackground(leader, "bursts", () => extendLives(leader));
    if (clock.monotonic() - lastAt >= planIntervalMs && needsPlan(leader)) request();
  });
  request();
  return async () => {
    cancelTick();
    cancelTimer();
    bursting.requestPlan = () => {};
    await bursting.planner?.end();
    bursting.planner = undefined;
  };
}

interface BurstRound {
  /** ms since the epoch: when time alone may change what is decided. */
  readonly nextAt: number | undefined;
}

/** One plan, made and applied; undefined when there was nothing to plan for. */
export async function runBurstRound(leader: Leader): Promise<BurstRound | undefined> {
  if (leader.writer.fault() !== undefined) return undefined;
  await windDown(leader);
  if (!needsPlan(leader)) return undefined;
  const { pool } = leader;
  const input = planInput(leader);
  const made = await plannerOf(leader).plan(input);
  // The state was read anew meanwhile: it was made for another world.
  if (leader.pool !== pool || leader.writer.fault() !== undefined || leader.shutdown.signal.aborted) return undefined;
  await applyPlan(leader, made, input);
  return { nextAt: nextLook(input) };
}

/** What would be decided now; nothing of it is applied. */
export function plannedNow(leader: Leader, input: PlanInput = planInput(leader)): ReturnType<Planner["plan"]> {
  return plannerOf(leader).plan(input);
}

function plannerOf(leader: Leader): Planner {
  leader.bursting.planner ??= createPlanner(leader.clock, leader.log);
  return leader.bursting.planner;
}

/** Something costs, or something waits, or will have to, that may be bought for. */
function needsPlan(leader: Leader): boolean {
  const { pool } = leader;
  if (pool.burstPolicy !== undefined && (pool.pending.size > 0 || replacedFirst(leader).size > 0)) return true;
  for (const { state } of pool.bursts.values()) if (state !== "gone") return true;
  return false;
}
