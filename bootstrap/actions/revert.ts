/** How a role goes back to the bundle it ran before. */
import { readable } from "../commands/shell.ts";
import { type BootstrapContext, filledIn, type Phase } from "../context.ts";
import { connect } from "../phases/connect.ts";
import { facts } from "../phases/facts.ts";
import { flipBack } from "../phases/flip-back.ts";
import { ownership } from "../phases/ownership.ts";
import { start } from "../phases/start.ts";
import { slotsOnMachine } from "../role-bundle.ts";
import { runPhases } from "../run-phases.ts";
import type { Slots } from "../slots.ts";
import { supervisionOf } from "../supervision.ts";
import { nothingElse, type SlotRequest } from "./upgrade.ts";

export interface Reverted {
  /** The last lines that the role logged before. */
  readonly log: string;
  /** Digest of the bundle that it is started from now. */
  readonly digest: string | undefined;
}

/** Leaves the bundle `digest`. */
export async function revertRole(request: SlotRequest, digest: string): Promise<Reverted> {
  let log = "";
  let slots: Slots | undefined;
  const listen: Phase = {
    title: "last words",
    async run(context: BootstrapContext) {
      const { readRoleLog } = supervisionOf(filledIn(context.facts, "facts"));
      const { stdout } = await filledIn(context.remote, "remote").read(readRoleLog(filledIn(context.layout, "layout"), request.role));
      log = readable(stdout.trim());
    },
  };
  const look: Phase = {
    title: "slots",
    async run(context: BootstrapContext) {
      slots = await slotsOnMachine(context);
    },
  };
  await runPhases([connect, facts, ownership, listen, flipBack(digest), look, start], { ...request, ...nothingElse });
  return { log, digest: slots?.current };
}
