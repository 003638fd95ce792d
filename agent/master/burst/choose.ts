/**
 * Which offer is bought for the first of the waiting jobs: the one with the lowest price for each waiting task that one
 * machine of it would take, by the scheduler's own rules; how often its cloud takes such machines back is part of that price
 * (`comparedHourly`). Ties go to the lower price, then by id.
 */
import type { BurstRow } from "../../contract/ledger.ts";
import { type Candidate, comparedHourly, hourlyOf, type Offer } from "../../contract/plan.ts";
import type { BurstPolicy } from "../../contract/policy.ts";
import { formatDuration } from "../../contract/quantities.ts";
import { place } from "../scheduler/place.ts";
import type { PlanOptions } from "./options.ts";
import { byId, compareText } from "./order.ts";
import { type Rest, restingPlaces } from "./resting-places.ts";
import type { RuleFound } from "./rule.ts";
import { type Demand, emptyNode, type Forecast, placeDemands } from "./situation.ts";

/** A job whose rule holds. */
export interface DueDemand extends Demand {
  readonly found: RuleFound;
}

export interface Choice {
  readonly candidates: readonly Candidate[];
  readonly chosen?: { readonly offer: Offer; readonly taken: Forecast["placed"] };
}

interface Weighed {
  readonly offer: Offer;
  readonly hourly: number;
  /** USD/hour for each task, as offers are compared. */
  readonly perTask: number;
  readonly taken: Forecast["placed"];
  readonly fits: number;
  /** The place of its burst pool in the rule's list. */
  readonly rank: number;
}

export interface ChooseContext {
  /** By id. */
  readonly offers: readonly Offer[];
  /** Why an offer is not to be had for a job now, whatever the money; undefined when it is. */
  readonly unusable: (offer: Offer, job: string) => string | undefined;
  /** Why one more machine of this offer is not allowed; undefined when it is. */
  readonly forbidden: (offer: Offer) => string | undefined;
  /** The same, if that was found out in this plan already. */
  readonly knownForbidden: (offer: Offer) => string | undefined;
  readonly now: number;
}

/** `head` must fit; `others` come after it in the order of placement. */
export function choose(head: DueDemand, others: readonly DueDemand[], context: ChooseContext): Choice {
  const rejected = new Map<string, string>();
  const weighed: Weighed[] = [];
  const weigh = scale(head, others, context.now);
  for (const offer of context.offers) {
    const reason = unfit(offer, head, context) ?? context.knownForbidden(offer);
    if (reason === undefined) weighed.push(weigh(offer));
    else rejected.set(offer.id, reason);
  }
  weighed.sort((a, b) => a.rank - b.rank || a.perTask - b.perTask || a.hourly - b.hourly || compareText(a.offer.id, b.offer.id));
  let chosen: Weighed | undefined;
  for (const one of weighed) {
    // Looked at in the order of preference, so that the budget is asked once when it allows the best.
    const reason = chosen === undefined ? context.forbidden(one.offer) : worse(one, chosen);
    if (reason === undefined) chosen = one;
    else rejected.set(one.offer.id, reason);
  }
  const weights = new Map(weighed.map((one) => [one.offer.id, one]));
  const candidates = context.offers.map((offer): Candidate => {
    const weight = weights.get(offer.id);
    const reason = rejected.get(offer.id);
    return {
      offer: offer.id,
      burstPool: offer.burstPool,
      hourly: hourlyOf(offer),
      ...(offer.reclaimed === undefined ? {} : { reclaimed: offer.reclaimed }),
      ...(weight === undefined ? {} : { fits: weight.fits, hourlyPerTask: weight.hourly / weight.fits }),
      chosen: offer.id === chosen?.offer.id,
      ...(reason === undefined ? {} : { rejected: reason }),
    };
  });
  return { candidates, ...(chosen === undefined ? {} : { chosen: { offer: chosen.offer, taken: chosen.taken } }) };
}

function unfit(offer: Offer, head: DueDemand, { unusable, now }: ChooseContext): string | undefined {
  const { rule, position } = head.found;
  if (!mayUse(head.found, offer)) return `rule ${position} uses ${(rule.use as readonly string[]).join(", ")} only`;
  const single = place({ nodes: [emptyNode(offer.id, offer)] }, [{ ...head.job, indexes: head.indexes.slice(0, 1) }], now);
  const rejection = single.unplaced[0]?.rejections[0]?.reason;
  return rejection ?? unusable(offer, head.job.job);
}

/** How many tasks one machine of an offer would take, of all that may use its burst pool. Asked once for each shape. */
function scale(head: DueDemand, others: readonly DueDemand[], now: number): (offer: Offer) => Weighed {
  const takenBy = new Map<string, Forecast["placed"]>();
  const { use } = head.found.rule;
  return (offer) => {
    const key = `${offer.burstPool} ${JSON.stringify(offer.shape)}`;
    let taken = takenBy.get(key);
    if (taken === undefined) {
      const allowed = [head, ...others.filter((one) => mayUse(one.found, offer))];
      taken = placeDemands([emptyNode(offer.id, offer)], allowed, now).placed;
      takenBy.set(key, taken);
    }
    const fits = taken.reduce((sum, { tasks }) => sum + tasks, 0);
    return {
      offer,
      hourly: hourlyOf(offer),
      perTask: comparedHourly(offer) / fits,
      taken,
      fits,
      rank: use === "cheapest" ? 0 : use.indexOf(offer.burstPool),
    };
  };
}

function mayUse({ rule: { use } }: RuleFound, offer: Offer): boolean {
  return use === "cheapest" || use.includes(offer.burstPool);
}

function worse(one: Weighed, best: Weighed): string {
  if (one.rank > best.rank) return `burst pool ${best.offer.burstPool} comes first`;
  const [perTask, bestPerTask] = [one.hourly / one.fits, best.hourly / best.fits];
  if (perTask > bestPerTask) return bestPerTask === 0 ? "dearer" : `${percent(perTask / bestPerTask - 1)} dearer for each task`;
  if (one.perTask > best.perTask) {
    const saved = perTask < bestPerTask ? `${percent(1 - perTask / bestPerTask)} cheaper for each task, but` : "costs the same, but";
    return `${saved} its cloud takes ${percent(one.offer.reclaimed ?? 0)} of such machines back, or more`;
  }
  return one.hourly > best.hourly ? "a dearer machine at the same price for each task" : "costs the same; the first by name was taken";
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(2))} %`;
}

/** Offers that have failed or lost a machine lately, all of a place that has nothing for us, and those that were bought for a job in vain, are not bought again for a while. */
export function unusableOffers(
  rows: readonly BurstRow[],
  {
    offers,
    policy,
    options,
    now,
    reclaimed,
  }: {
    readonly offers: readonly Offer[];
    readonly policy: BurstPolicy;
    readonly options: PlanOptions;
    readonly now: number;
    readonly reclaimed: readonly string[];
  },
): ChooseContext["unusable"] {
  const placeRest = restingPlaces(rows, offers, now - policy.retryAfterMs);
  const rests = new Map<string, Rest>();
  const inVain = new Map<string, { at: number; burst: string }>();
  for (const row of byId(rows)) {
    if (reclaimed.includes(row.id)) rests.set(row.offer, { at: now, reason: `${row.id} loses a machine` });
    const endedAt = row.at.retiring ?? row.at.draining;
    if (endedAt === undefined) continue;
    const fault =
      row.failure !== undefined ? `it failed: ${row.failure}` : row.retired === "lost-machine" ? `${row.id} lost a machine` : undefined;
    if (fault !== undefined && endedAt >= (rests.get(row.offer)?.at ?? 0)) rests.set(row.offer, { at: endedAt, reason: fault });
    if (wasInVain(row)) for (const { job } of row.for) inVain.set(`${row.offer} ${job}`, { at: endedAt, burst: row.id });
  }
  return (offer, job) => {
    const fault = later(rests.get(offer.id), placeRest(offer));
    const againMs = fault === undefined ? 0 : fault.at + policy.retryAfterMs - now;
    if (fault !== undefined && againMs > 0) return `${fault.reason}; tried again in ${formatDuration(againMs)}`;
    const vain = inVain.get(`${offer.id} ${job}`);
    if (vain !== undefined && now - vain.at < options.unusedCooldownMs) return `${vain.burst} was bought for this job and never got a task`;
    return undefined;
  };
}

function later(one: Rest | undefined, other: Rest | undefined): Rest | undefined {
  return one !== undefined && (other === undefined || one.at >= other.at) ? one : other;
}

/** It was live, never got a task, and goes or went by itself: not by the operator's word, for the budget's sake, or with its environment. */
function wasInVain({ state, at, usedAt, drain, retired }: BurstRow): boolean {
  if (at.live === undefined || usedAt !== undefined || state === "live") return false;
  if (retired === "operator" || retired === "closing") return false;
  return drain === undefined || drain.cause === "idle";
}
