/** What the master knows of bursts only while it runs: who applies them, what is offered, the last plan, who waits for a change. */
import type { BursterReport } from "../../contract/burst-api.ts";
import type { BurstPlan } from "../../contract/plan.ts";
import type { Clock } from "../clock.ts";
import type { Planner } from "./planner.ts";

/** The burster that is heard, as it reported last. */
export interface HeardBurster {
  readonly report: BursterReport;
  /** ms since the epoch. */
  readonly seenAt: number;
  /** The same on the clock that never jumps: silence is measured by it. */
  readonly heardAt: number;
  /** Its silence was told. */
  readonly toldSilent?: boolean;
}

export interface Bursting {
  /** On the clock that never jumps. */
  readonly startedAt: number;
  /** Grows with each change of the ledger, over restarts too: it begins with the time. */
  revision: number;
  /** Woken by the next change of the ledger. */
  readonly waiters: Set<() => void>;
  burster: HeardBurster | undefined;
  /** The last plan that was applied. */
  lastPlan: BurstPlan | undefined;
  /** Asks for a plan; many requests make one. */
  requestPlan: () => void;
  /** Makes plans apart from everything else; undefined until the first. */
  planner: Planner | undefined;
  /** Why each job was refused a burst, as it was told last. */
  readonly toldRefusals: Map<string, string>;
  /** The windows of the budget that were warned of: `day 1767225600000`. */
  readonly warned: Set<string>;
}

export function createBursting(clock: Clock): Bursting {
  return {
    startedAt: clock.monotonic(),
    revision: clock.now(),
    waiters: new Set(),
    burster: undefined,
    lastPlan: undefined,
    requestPlan: () => {},
    planner: undefined,
    toldRefusals: new Map(),
    warned: new Set(),
  };
}
