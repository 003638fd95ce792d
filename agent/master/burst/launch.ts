/** What is bought for the tasks that have no place: machine by machine, each within every limit, each for a task that waits. */
import type { BurstRow } from "../../contract/ledger.ts";
import { type DemandExplanation, hourlyOf, type LaunchDecision, type Offer } from "../../contract/plan.ts";
import { budgetRefusal, settle } from "./budget.ts";
import { type ChooseContext, choose, type DueDemand, unusableOffers } from "./choose.ts";
import type { MoneyContext } from "./held.ts";
import { intentRow } from "./intent.ts";
import { leakLimit, nodesLimit, offerLimit, parallelLimit } from "./limits.ts";
import type { PlanOptions } from "./options.ts";
import { byId } from "./order.ts";
import { ruleFor } from "./rule.ts";
import { type Demand, without } from "./situation.ts";

export interface LaunchContext extends MoneyContext {
  readonly options: PlanOptions;
  readonly offers: readonly Offer[];
  /** Nodes of bursts that have not joined. */
  readonly onTheWay: ReadonlySet<string>;
  /** Why nothing may be bought now; undefined when it may. */
  readonly paused: string | undefined;
  /** Ids of bursts of which their cloud takes a machine away just now. */
  readonly reclaimed: readonly string[];
}

export interface Launches {
  readonly launch: readonly LaunchDecision[];
  readonly explain: readonly DemandExplanation[];
}

interface Draft {
  readonly burst: string;
  readonly nodes: string[];
  readonly offer: Offer;
  readonly rule: number;
  readonly priority: number;
  readonly tasks: Map<string, number>;
}

/** `demands` in the order of placement; `rows` as they will be when the rest of the plan is applied. */
export function launches(demands: readonly Demand[], rows: readonly BurstRow[], context: LaunchContext): Launches {
  const { policy, options, now } = context;
  const drafts: Draft[] = [];
  const explain: DemandExplanation[] = [];
  const offers = byId(context.offers);
  const taken = new Set(rows.map(({ id }) => id));
  const { rows: present, settled } = settle(rows, context);
  const all = new Map(present.map((row) => [row.id, row]));
  const unusable = unusableOffers(rows, context);
  /** Limits only get tighter within a plan, so an answer stands. */
  const refusals = new Map<string, string>();
  let bought = 0;
  let refused = 0;

  const forbidden =
    (rule: number, priority: number): ChooseContext["forbidden"] =>
    (offer) => {
      let refusal = refusals.get(offer.id);
      if (refusal === undefined) {
        const next = extended(openDraft(offer, rule), offer, { rule, priority });
        const beside = [...all.values()];
        refusal =
          leakLimit(offer.burstPool, beside) ?? offerLimit(offer, beside) ?? budgetRefusal(beside, rowOf(next), { ...context, settled });
        if (refusal !== undefined) refusals.set(offer.id, refusal);
      }
      return refusal;
    };
  const perBurst = (rule: number) => policy.rules[rule - 1]?.perBurst ?? 1;
  const openDraft = (offer: Offer, rule: number) =>
    drafts.findLast((draft) => draft.offer.id === offer.id && draft.rule === rule && draft.nodes.length < perBurst(rule));
  const extended = (draft: Draft | undefined, offer: Offer, { rule, priority }: { rule: number; priority: number }): Draft => {
    const { burst, nodes, tasks } = draft ?? { burst: newBurstId(now, taken), nodes: [], tasks: new Map<string, number>() };
    const next = { burst, nodes: [...nodes, `${burst}-${nodes.length + 1}`], offer, rule, tasks: new Map(tasks) };
    return { ...next, priority: Math.max(priority, draft?.priority ?? 0) };
  };
  const rowOf = (draft: Draft) => intentRow(decisionOf(draft, context), context);

  const due: DueDemand[] = [];
  for (const demand of demands) {
    const found = ruleFor(demand.job, policy, now);
    if ("rule" in found) due.push({ ...demand, found });
    else {
      const outcome = found.notYet === undefined ? "refused" : "not-yet";
      const rule = found.notYet === undefined ? {} : { rule: found.notYet.position };
      explain.push({ ...about(demand), outcome, ...rule, bursts: [], reason: found.reason, candidates: [] });
    }
  }

  let waiting: readonly DueDemand[] = due;
  for (let head = waiting[0]; head !== undefined; head = waiting[0]) {
    const { position, rule } = head.found;
    const limit =
      context.paused ??
      (context.offers.length === 0 ? "no burst pool offers anything" : undefined) ??
      nodesLimit([...all.values()], policy, 1) ??
      parallelLimit([...all.values()], { position, maxParallel: rule.maxParallel, onTheWay: context.onTheWay }) ??
      (bought >= options.maxLaunches ? `one plan buys ${options.maxLaunches} machines at most; the next goes on` : undefined);
    const choice =
      limit === undefined
        ? choose(head, waiting.slice(1, options.maxJobsWeighed), {
            offers,
            unusable,
            forbidden: forbidden(position, head.job.priority),
            knownForbidden: ({ id }) => refusals.get(id),
            now,
          })
        : { candidates: [] };
    if (choice.chosen === undefined) {
      const reason = limit ?? `none of ${choice.candidates.length} offers will do: ${commonReasons(choice.candidates)}`;
      if (choice.candidates.length > 0) refused += 1;
      const candidates = refused <= options.maxWithCandidates ? [...choice.candidates] : [];
      explain.push({ ...about(head), outcome: "refused", rule: position, bursts: [], reason, candidates });
      waiting = waiting.slice(1);
      continue;
    }
    const { offer, taken: tasks } = choice.chosen;
    const open = openDraft(offer, position);
    const draft = extended(open, offer, { rule: position, priority: head.job.priority });
    for (const one of tasks) draft.tasks.set(one.job, (draft.tasks.get(one.job) ?? 0) + one.tasks);
    if (open === undefined) drafts.push(draft);
    else drafts[drafts.indexOf(open)] = draft;
    taken.add(draft.burst);
    all.set(draft.burst, rowOf(draft));
    bought += 1;
    for (const { job, tasks: count } of tasks) {
      const isHead = job === head.job.job;
      const reason = isHead
        ? `rule ${position} holds; the best for each task by its price is ${offer.id}`
        : `it shares a machine bought for ${head.job.job}`;
      const candidates = isHead ? [...choice.candidates] : [];
      explain.push({ job, tasks: count, outcome: "launch", rule: position, bursts: [draft.burst], reason, candidates });
    }
    waiting = without(waiting, tasks);
  }
  return { launch: drafts.map((draft) => decisionOf(draft, context)), explain };
}

function decisionOf({ burst, nodes, offer, rule, priority, tasks }: Draft, { policy, now }: LaunchContext): LaunchDecision {
  const forTasks = [...tasks].map(([job, count]) => ({ job, tasks: count }));
  const total = forTasks.reduce((sum, one) => sum + one.tasks, 0);
  const jobs = forTasks.length === 1 ? forTasks[0]?.job : `${forTasks.length} jobs`;
  const machines = nodes.length === 1 ? "a machine" : `${nodes.length} machines`;
  return {
    burst,
    nodes,
    offer,
    hourly: nodes.length * hourlyOf(offer),
    rule,
    priority,
    for: forTasks,
    reason: `${machines} of ${offer.id} for ${total === 1 ? "1 waiting task" : `${total} waiting tasks`} of ${jobs} (rule ${rule})`,
    expiresAt: now + offer.launchTimeoutMs + policy.expireAfterMs,
  };
}

function about({ job, indexes }: Demand): Pick<DemandExplanation, "job" | "tasks"> {
  return { job: job.job, tasks: indexes.length };
}

/** The reasons of rejections, the most frequent first: "too small in cpu (3), …". */
function commonReasons(candidates: readonly { readonly rejected?: string | undefined }[]): string {
  const counts = new Map<string, number>();
  for (const { rejected = "" } of candidates) counts.set(rejected, (counts.get(rejected) ?? 0) + 1);
  const sorted = [...counts].toSorted(([a, n], [b, m]) => m - n || (a < b ? -1 : 1));
  return sorted
    .slice(0, 3)
    .map(([reason, count]) => `${reason} (${count})`)
    .join(", ");
}

/** Made of the second in which it was decided, or the next that is free: it need not be kept anywhere to be unique. */
export function newBurstId(now: number, taken: ReadonlySet<string>): string {
  for (let second = Math.floor(now / 1000); ; second += 1) {
    const id = `b-${second.toString(36)}`;
    if (!taken.has(id)) return id;
  }
}
