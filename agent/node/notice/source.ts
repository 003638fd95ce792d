/** Where notices come from: one per cloud. */
import type { NodeNotice } from "../../contract/node.ts";

export interface NoticeSource {
  /** For the log, e.g. `EC2 instance metadata`. */
  readonly name: string;
  readonly pollMs: number;
  /**
   * What the cloud announces of this machine at `now` (ms since the epoch); null: nothing. As long as it announces the same,
   * the answer is the same. Throws while that can't be known.
   */
  ask(now: number, signal: AbortSignal): Promise<NodeNotice | null>;
}
