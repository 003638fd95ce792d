/** How a machine becomes a node (or carries the master): the phases, in order. */
import type { BootstrapRequest } from "../context.ts";
import { claim } from "../phases/claim.ts";
import { connect } from "../phases/connect.ts";
import { facts } from "../phases/facts.ts";
import { install } from "../phases/install.ts";
import { join } from "../phases/join.ts";
import { keepBundle } from "../phases/keep-bundle.ts";
import { look } from "../phases/look.ts";
import { preflight } from "../phases/preflight.ts";
import { ready } from "../phases/ready.ts";
import { retireSeed } from "../phases/retire-seed.ts";
import { start } from "../phases/start.ts";
import { uploadBundle } from "../phases/upload-bundle.ts";
import { runPhases } from "../run-phases.ts";

const phases = [connect, facts, look, preflight, claim, retireSeed, keepBundle, uploadBundle, install, join, start, ready];

/** Returns the sentences of what was changed. Safe to repeat: what is as it should be is left alone. */
export function installRole(request: BootstrapRequest): Promise<readonly string[]> {
  return runPhases(phases, request);
}
