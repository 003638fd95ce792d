/** How a role moves to another bundle: brought and tried beside the running one, then flipped to, then kept. */
import type { AgentRole } from "../../agent/contract/install-layout.ts";
import type { Machine } from "../../agent/contract/machine.ts";
import { endTrial } from "../commands/slots.ts";
import { type BootstrapContext, type BootstrapRequest, type BundleSource, filledIn, nothingToInstall, type Phase } from "../context.ts";
import { connect } from "../phases/connect.ts";
import { facts } from "../phases/facts.ts";
import { flip } from "../phases/flip.ts";
import { ownership } from "../phases/ownership.ts";
import { selfTest } from "../phases/self-test.ts";
import { start } from "../phases/start.ts";
import { uploadBundle } from "../phases/upload-bundle.ts";
import { slotsOnMachine } from "../role-bundle.ts";
import { runPhases } from "../run-phases.ts";
import type { Slots, TrialNote } from "../slots.ts";

export interface SlotRequest extends Pick<BootstrapRequest, "identity" | "onProgress" | "onSentence" | "signal"> {
  readonly machine: Machine;
  readonly role: AgentRole;
}

/** As patient as the machine's settings say: the master hears these machines, so they are there. */
export const nothingElse = { ...nothingToInstall, patienceMs: undefined };

/** What is in the role's slots. Changes nothing. Throws `not-ours`, and what `connectSession` throws, as all of these do. */
export async function lookAtSlots(request: SlotRequest): Promise<Slots> {
  let slots: Slots | undefined;
  const look: Phase = {
    title: "slots",
    async run(context: BootstrapContext) {
      slots = await slotsOnMachine(context);
    },
  };
  await runPhases([connect, facts, ownership, look], { ...request, ...nothingElse });
  if (slots === undefined) throw new Error("bug: the phases ended without slots");
  return slots;
}

/** Brings the bundle and lets it look whether it could run there; the role goes on as it is. Throws `self-test-failed`. */
export async function stageRole(request: SlotRequest & { readonly bundle: BundleSource }): Promise<void> {
  await runPhases([connect, facts, ownership, uploadBundle, selfTest], { ...nothingElse, ...request });
}

/** Starts the role from the bundle that was brought. */
export async function flipRole(request: SlotRequest, digest: string, note: TrialNote): Promise<void> {
  await runPhases([connect, facts, ownership, flip(digest, note), start], { ...request, ...nothingElse });
}

/** The role has proved itself: what is in no slot any more is deleted. */
export async function endTrialOf(request: SlotRequest): Promise<void> {
  const end: Phase = {
    title: "tidy",
    async run(context: BootstrapContext) {
      const command = endTrial(filledIn(context.layout, "layout"), request.role);
      await filledIn(context.remote, "remote").change(
        "remote.install",
        `keep the ${request.role}'s bundle, delete those in no slot`,
        command,
      );
    },
  };
  await runPhases([connect, facts, ownership, end], { ...request, ...nothingElse });
}
