/** The bounds and times of the planner that are not the user's to choose. */

export interface PlanOptions {
  /** The longest time between two plans that are acted on, the restart of a master included. */
  readonly reactionMs: number;
  /** Pending tasks looked at in one plan, in the order of placement. */
  readonly maxTasks: number;
  /** And of one job, so that a huge one does not hide the others. */
  readonly maxTasksPerJob: number;
  /** Waiting jobs that are weighed together when an offer is chosen for the first of them. */
  readonly maxJobsWeighed: number;
  /** Machines bought by one plan. */
  readonly maxLaunches: number;
  /** A node of a live burst that has not joined for so long is no longer waited for. */
  readonly joinTimeoutMs: number;
  /**
   * A node that was not heard of for so much longer than `expireAfterMs` is not waited for any more. By then its dead-man
   * timer has stopped its tasks (10 min at most) and ended its machine (2 min at most), or will never do it.
   */
  readonly silenceMarginMs: number;
  /** An offer that was bought for a job and never got a task is not bought again for that job for so long. */
  readonly unusedCooldownMs: number;
  /** Explanations of jobs that are told. */
  readonly maxExplained: number;
  /** Of those that nothing can be bought for, so many are told with every offer. */
  readonly maxWithCandidates: number;
}

export const planDefaults: PlanOptions = {
  reactionMs: 30_000,
  maxTasks: 1000,
  maxTasksPerJob: 200,
  maxJobsWeighed: 50,
  maxLaunches: 16,
  joinTimeoutMs: 300_000,
  silenceMarginMs: 900_000,
  unusedCooldownMs: 3_600_000,
  maxExplained: 200,
  maxWithCandidates: 20,
};
