/** A role that is installed keeps the bundle it runs: only a rollout, which can go back, moves it to another. */
import type { Phase } from "../context.ts";
import { bundleAtHand, linkNode, slotsOnMachine } from "../role-bundle.ts";
import { keptBundle } from "../slots.ts";

export const keepBundle: Phase = {
  title: "keep bundle",
  async run(context) {
    const slots = await slotsOnMachine(context);
    context.slots = slots;
    const kept = keptBundle(slots, context.request.machine);
    if (kept === undefined) return;
    context.bundle = { digest: kept };
    context.isFormer = kept !== (await bundleAtHand(context)).digest;
    await linkNode(context, kept, slots.node);
  },
};
