/** Limits on what may be bought that are counted in machines, not in money. What is leaked still exists, so it counts. */
import type { BurstRow } from "../../contract/ledger.ts";
import type { Offer } from "../../contract/plan.ts";
import type { BurstPolicy } from "../../contract/policy.ts";

/** Why `more` machines beside these rows are too many; undefined when they are not. */
export function nodesLimit(rows: readonly BurstRow[], { maxNodes }: Pick<BurstPolicy, "maxNodes">, more: number): string | undefined {
  const existing = machinesOf(rows);
  if (existing + more <= maxNodes) return undefined;
  const leaked = machinesOf(rows.filter(({ state }) => state === "leaked"));
  const ofThem = leaked === 0 ? "" : `, ${leaked} of them leaked (spillway fsck --fix)`;
  return `maxNodes: ${existing} of ${maxNodes} machines are bought or on the way${ofThem}`;
}

/** Why a rule has enough on the way; undefined when it may buy more. */
export function parallelLimit(
  rows: readonly BurstRow[],
  { position, maxParallel, onTheWay }: { position: number; maxParallel: number; onTheWay: ReadonlySet<string> },
): string | undefined {
  const count = rows
    .filter(({ rule }) => rule === position)
    .reduce((sum, { state, nodes }) => sum + (state === "intent" ? nodes.length : nodes.filter((id) => onTheWay.has(id)).length), 0);
  return count >= maxParallel ? `maxParallel of rule ${position}: ${count} of ${maxParallel} machines are on the way` : undefined;
}

/** Why there may be no more machines of an offer; undefined when there may. */
export function offerLimit({ id, maxNodes }: Offer, rows: readonly BurstRow[]): string | undefined {
  if (maxNodes === undefined) return undefined;
  const count = machinesOf(rows.filter(({ offer }) => offer === id));
  return count >= maxNodes ? `${count} of ${maxNodes} machines that may exist are there` : undefined;
}

/** Why nothing is bought from a burst pool: what can't be given back there must not become more. */
export function leakLimit(burstPool: string, rows: readonly BurstRow[]): string | undefined {
  const leaked = rows.filter((row) => row.state === "leaked" && row.burstPool === burstPool).map(({ id }) => id);
  if (leaked.length === 0) return undefined;
  const named = `${leaked[0]}${leaked.length === 1 ? "" : ` and ${leaked.length - 1} more`}`;
  return `${named} of burst pool ${burstPool} could not be destroyed, and nothing is bought there until that is done: spillway fsck --fix`;
}

function machinesOf(rows: readonly BurstRow[]): number {
  return rows.reduce((sum, { state, nodes }) => sum + (state === "gone" ? 0 : nodes.length), 0);
}
