/** When a role that runs from another bundle is well: pure functions of what the master says again and again. */
import { short } from "../../../agent/contract/bundle-platform.ts";
import type { NodeView } from "../../../agent/contract/node.ts";
import { type JobDetail, parseTaskId } from "../../../agent/contract/workload.ts";

/** Heartbeats on one and the same connection. */
export const wantedBeats = 3;

/** What was seen of a node since its agent was started anew. */
export interface Pulse {
  readonly beats: number;
  readonly lastBeat?: number;
  /** Of the connection that they came on. */
  readonly since?: number;
  /** What is missing, for a person. */
  readonly missing: string;
}

export const noPulse: Pulse = { beats: 0, missing: "nothing was heard of it" };

/** Counted from the beginning whenever the node is not as it should be, or its agent has connected once more. */
export function nextPulse(pulse: Pulse, node: NodeView | undefined, bundle: string): Pulse {
  if (node === undefined) return { beats: 0, missing: "the master does not know it" };
  if (node.bundle !== bundle) return { beats: 0, missing: `its agent has not joined with the bundle ${short(bundle)}` };
  if (node.state !== "ready") return { beats: 0, missing: `it is ${node.state} (${node.stateReason})` };
  const { lastHeartbeatAt: beat, agentSince: since } = node;
  if (beat === undefined) return noPulse;
  const isSame = pulse.lastBeat !== undefined && pulse.since === since;
  const beats = isSame ? pulse.beats + (beat > (pulse.lastBeat ?? 0) ? 1 : 0) : 0;
  return { beats, lastBeat: beat, ...(since === undefined ? {} : { since }), missing: `${beats} of ${wantedBeats} heartbeats` };
}

/** Of the attempts that were to be taken over those that were not; `jobs` has their jobs. One that has ended in its own way is none. */
export function lostAttempts(taskIds: readonly string[], jobs: ReadonlyMap<string, JobDetail>): string[] {
  return taskIds.filter((taskId) => {
    const parsed = parseTaskId(taskId);
    const job = parsed === undefined ? undefined : jobs.get(parsed.job);
    // A job that the master has forgotten had ended.
    if (parsed === undefined || job === undefined) return false;
    const known = job.indexes.find(({ index }) => index === parsed.index)?.attempts.find((attempt) => attempt.taskId === taskId);
    return known === undefined || known.state === "lost";
  });
}
