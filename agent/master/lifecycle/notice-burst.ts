/**
 * A burst whose every node is taken away by its cloud is given back as soon as its tasks have stopped: nothing of it will
 * come back, and what replaces it needs its place under `maxNodes` and in the budget now.
 */
import type { BurstRow } from "../../contract/ledger.ts";
import { move } from "../burst/ledger.ts";
import { inBackground, type Leader } from "../leader.ts";
import type { Pool } from "../pool/pool.ts";
import { burstOf } from "./cordon-state.ts";
import { reclaimOf } from "./notice-state.ts";

/** Retires what is due; called again and again. The offer then rests like one that has lost a machine. */
export function retireReclaimed(leader: Leader): void {
  const { pool, clock } = leader;
  // A teardown ends all bursts by itself.
  if (leader.writer.fault() !== undefined || pool.closing !== undefined) return;
  for (const node of pool.nodes.values()) {
    const row = reclaimOf(node.record) === undefined ? undefined : burstOf(pool, node);
    if (row === undefined) continue;
    const reason = reclaimedReason(pool, row, clock.now());
    if (reason !== undefined) {
      inBackground(
        leader,
        `burst/${row.id}`,
        async () => void (await move(leader, row.id, { type: "retire", cause: "lost-machine", reason })),
      );
    }
  }
}

/** A sentence when nothing of the burst is worth waiting for at `now` (ms since the epoch), else undefined. Pure. */
function reclaimedReason({ nodes }: Pick<Pool, "nodes">, row: BurstRow, now: number): string | undefined {
  // What is still being launched is its applier's until it has said so.
  if (row.state !== "live" && row.state !== "draining") return undefined;
  // What runs on until it is replaced has its grace before it.
  if (row.nodes.some((name) => (nodes.get(name)?.tasks.size ?? 0) > 0)) return undefined;
  const notices = row.nodes.map((name) => reclaimOf(nodes.get(name)?.record ?? {}));
  const [first] = notices;
  if (first === undefined || notices.some((notice) => notice === undefined || notice.stoppedAt > now)) return undefined;
  return `${row.nodes.length === 1 ? "its node is" : "all its nodes are"} taken away by the cloud: ${first.text}`;
}
