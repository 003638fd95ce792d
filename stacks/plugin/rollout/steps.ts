/**
 * What a rollout does next: a pure function of what became of each role so far. The master first (and last on the way back),
 * then the canary, then batch by batch; after a failure nothing else is touched.
 */

/** Of one role of the environment: its master, or the agent of a node. */
export interface RolloutRole {
  /** `master`, or `node <name>`. */
  readonly key: string;
  readonly phase: RolePhase;
  /** The number of the batch that it belongs or belonged to. */
  readonly batch?: number;
  /** Why it was left out, or what is wrong with it. */
  readonly why?: string;
}

/**
 * same: has nothing to do · due · staged: the bundle is on its machine, tried and not started · flipped: started from it, not
 * yet found well · healthy: well · failed: could not be staged, runs what it ran · sick: flipped, and not well · reverted: well
 * again with what it ran · stuck: neither well nor back · skipped: out of reach, runs what it ran.
 */
export type RolePhase = "same" | "due" | "staged" | "flipped" | "healthy" | "failed" | "sick" | "reverted" | "stuck" | "skipped";

export interface RolloutState {
  readonly direction: "upgrade" | "revert";
  readonly roles: readonly RolloutRole[];
  /** Nodes that go first. */
  readonly canary: number;
  /** Nodes at a time after that, at least one. */
  readonly batch: number;
  readonly autoRevert: boolean;
}

/** `flip` on the way back has nothing staged before: the slot is on the machine. */
export type Step =
  | { readonly kind: "stage" | "flip" | "gate" | "revert"; readonly keys: readonly string[]; readonly batch: number; readonly name: string }
  | { readonly kind: "end"; readonly failed: boolean };

export const masterKey = "master";

export function nextStep(state: RolloutState): Step {
  const { direction, roles, autoRevert } = state;
  const batch = roles.reduce((highest, role) => Math.max(highest, role.batch ?? 0), 0);
  const name = nameOf(state, batch);
  const present = (...phases: RolePhase[]) => roles.filter((role) => role.batch === batch && phases.includes(role.phase));
  if (roles.some(({ phase }) => phase === "failed" || phase === "sick" || phase === "reverted" || phase === "stuck")) {
    const back = direction === "upgrade" && autoRevert ? present("flipped", "sick", "healthy") : [];
    // One that could not even be staged says nothing of those of its batch that are well, but there can be none yet.
    return back.length === 0 ? { kind: "end", failed: true } : { kind: "revert", keys: keysOf(back), batch, name };
  }
  const flipped = present("flipped");
  if (flipped.length > 0) return { kind: "gate", keys: keysOf(flipped), batch, name };
  const staged = present("staged");
  if (staged.length > 0) return { kind: "flip", keys: keysOf(staged), batch, name };
  const next = nextBatch(state);
  if (next.length === 0) return { kind: "end", failed: false };
  const numbered = { ...state, roles: roles.map((role) => (next.includes(role) ? { ...role, batch: batch + 1 } : role)) };
  return { kind: direction === "upgrade" ? "stage" : "flip", keys: keysOf(next), batch: batch + 1, name: nameOf(numbered, batch + 1) };
}

/** The state after a step, of which each role has become something. */
export function applied(
  state: RolloutState,
  step: Extract<Step, { readonly batch: number }>,
  results: ReadonlyMap<string, { readonly phase: RolePhase; readonly why?: string }>,
): RolloutState {
  return {
    ...state,
    roles: state.roles.map((role) => {
      const result = step.keys.includes(role.key) ? results.get(role.key) : undefined;
      return result === undefined ? role : { key: role.key, batch: step.batch, ...result };
    }),
  };
}

function nextBatch({ direction, roles, canary, batch }: RolloutState): RolloutRole[] {
  const due = roles.filter(({ phase }) => phase === "due");
  const nodes = due.filter(({ key }) => key !== masterKey);
  const master = due.filter(({ key }) => key === masterKey);
  if (direction === "upgrade" && master.length > 0) return master;
  if (nodes.length === 0) return master;
  // Those that were skipped have proved nothing.
  const proven = roles.filter(({ key, phase }) => key !== masterKey && phase === "healthy").length;
  return nodes.slice(0, proven < canary ? canary - proven : batch);
}

/** `master`, `canary`, `batch 2`: as people count, without the master and the canary. */
function nameOf({ roles, canary }: RolloutState, batch: number): string {
  const of = (number: number) => roles.filter((role) => role.batch === number);
  if (of(batch).some(({ key }) => key === masterKey)) return masterKey;
  const before = roles.filter((role) => (role.batch ?? 0) < batch && role.phase === "healthy" && role.key !== masterKey).length;
  if (before < canary) return "canary";
  const numbers = new Set(
    roles.flatMap((role) => (role.batch !== undefined && role.batch <= batch && role.key !== masterKey ? role.batch : [])),
  );
  let named = 0;
  let proven = 0;
  for (const number of [...numbers].toSorted((a, b) => a - b)) {
    if (proven >= canary) named += 1;
    proven += of(number).filter(({ phase }) => phase === "healthy").length;
  }
  return `batch ${Math.max(1, named)}`;
}

function keysOf(roles: readonly RolloutRole[]): string[] {
  return roles.map(({ key }) => key);
}
