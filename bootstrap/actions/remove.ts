/** How a role comes off a machine: the phases, in order. */
import type { AgentRole } from "../../agent/contract/install-layout.ts";
import type { Machine } from "../../agent/contract/machine.ts";
import { type BootstrapRequest, nothingToInstall } from "../context.ts";
import { connect } from "../phases/connect.ts";
import { facts } from "../phases/facts.ts";
import { ownership } from "../phases/ownership.ts";
import { stop } from "../phases/stop.ts";
import { stopTasks } from "../phases/stop-tasks.ts";
import { uninstall } from "../phases/uninstall.ts";
import { runPhases } from "../run-phases.ts";

const phases = [connect, facts, ownership, stop, stopTasks, uninstall];

export interface RemoveRequest extends Pick<BootstrapRequest, "identity" | "onProgress" | "onSentence" | "dryRun" | "signal"> {
  readonly machine: Machine;
  readonly role: AgentRole;
}

/**
 * Returns the sentences of what was changed; after it the machine bears no trace of the role.
 * Throws `not-ours` for a machine that has become somebody else's.
 */
export function removeRole(request: RemoveRequest): Promise<readonly string[]> {
  return runPhases(phases, { ...request, ...nothingToInstall });
}
