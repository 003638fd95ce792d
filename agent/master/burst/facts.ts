/** What happens in the pool, as the ledger has to know it: nodes of bursts join, get tasks, and live on. */
import { burstMoves } from "../../contract/ledger.ts";
import { inBackground, type Leader } from "../leader.ts";
import { move, moveQuietly } from "./ledger.ts";
import { policyOf } from "./snapshot.ts";

/** An agent has said hello: the first time its node joins its burst. Nothing happens for other nodes, nor when that is known. */
export function noteJoin(leader: Leader, name: string): void {
  const node = leader.pool.nodes.get(name);
  if (node === undefined) return;
  if (node.tasks.size === 0) node.idleSince ??= leader.clock.now();
  const row = rowOfNode(leader, name);
  if (row === undefined || name in row.joined || !row.nodes.includes(name) || burstMoves[row.state].join === undefined) return;
  inBackground(leader, `burst/${row.id}`, async () => void (await move(leader, row.id, { type: "join", node: name })));
}

/** A task was given to a node: the first one of a burst is noted. */
export function noteUse(leader: Leader, name: string): void {
  const row = rowOfNode(leader, name);
  if (row === undefined || row.usedAt !== undefined || burstMoves[row.state].use === undefined) return;
  inBackground(leader, `burst/${row.id}`, async () => void (await move(leader, row.id, { type: "use" })));
}

/** Machines end themselves when no master extends their lives: all that work get a new date together when the first has used up a quarter of it. */
export async function extendLives(leader: Leader): Promise<void> {
  const now = leader.clock.now();
  const { expireAfterMs } = policyOf(leader);
  const working = [...leader.pool.bursts.values()].filter(({ state }) => state === "launching" || state === "live" || state === "draining");
  const isDue = working.some(({ expiresAt }) => expiresAt < now + expireAfterMs * (3 / 4));
  if (!isDue) return;
  const expiresAt = now + expireAfterMs;
  await moveQuietly(
    leader,
    working.map(({ id }) => ({ id, event: { type: "extend", expiresAt } })),
  );
}

function rowOfNode({ pool }: Leader, name: string) {
  const burst = pool.nodes.get(name)?.record.declaration.burst;
  return burst === undefined ? undefined : pool.bursts.get(burst);
}
