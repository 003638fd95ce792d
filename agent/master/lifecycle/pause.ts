/** A node whose host could not start a task gets no new one for a while, so that it does not burn through every job's attempts. */
import { formatDuration } from "../../contract/quantities.ts";
import { type Leader, tell } from "../leader.ts";
import type { PoolNode } from "../pool/pool.ts";

/** A full disk or process table does not get better within seconds. */
export const pauseMs = 30_000;
/** A reason is shown in a list of others. */
const maxReasonLength = 200;

export function pauseNode(leader: Leader, name: string, taskId: string, given: string): void {
  const node = leader.pool.nodes.get(name);
  if (node === undefined) return;
  const reason = given.slice(0, maxReasonLength);
  const first = node.paused === undefined;
  const paused = { at: leader.clock.now(), reason };
  node.paused = paused;
  leader.clock.after(pauseMs, () => {
    // A later fault has begun the pause anew.
    if (node.paused !== paused) return;
    node.paused = undefined;
    leader.requestRound();
  });
  if (!first) return;
  tell(leader, {
    kind: "node-paused",
    subject: `node/${name}`,
    message: `Node ${name} gets no new task for ${formatDuration(pauseMs)}: it could not start ${taskId} (${reason})`,
    data: { taskId, reason, pauseMs },
  });
}

/** Why a paused node takes no task now, in a few words; undefined when it is not paused. */
export function pauseReason(node: PoolNode, now: number): string | undefined {
  if (node.paused === undefined) return undefined;
  // Whole seconds, so that nodes with the same fault are told together.
  const agoMs = Math.floor((now - node.paused.at) / 1000) * 1000;
  return `could not start a task ${agoMs === 0 ? "just now" : `${formatDuration(agoMs)} ago`}: ${node.paused.reason}`;
}
