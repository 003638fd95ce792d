/** A role that is installed keeps the bundle it runs: only a rollout, which can go back, moves it to another. */
import { bundlePlatformOf, compressionOf } from "../bundle-platform-of.ts";
import { pointLink } from "../commands/files.ts";
import { readSlots } from "../commands/slots.ts";
import { filledIn, type Phase } from "../context.ts";
import { keptBundle, slotsIn } from "../slots.ts";

export const keepBundle: Phase = {
  title: "keep bundle",
  async run(context) {
    const { request } = context;
    const { machine, role } = request;
    const remote = filledIn(context.remote, "remote");
    const layout = filledIn(context.layout, "layout");
    const slots = slotsIn((await remote.read(readSlots(layout, role))).stdout);
    context.slots = slots;
    const kept = keptBundle(slots, machine);
    if (kept === undefined) return;
    context.bundle = { digest: kept };
    const facts = filledIn(context.facts, "facts");
    const atHand = await request.bundle(bundlePlatformOf(machine, facts.arch), compressionOf(facts));
    context.isFormer = kept !== atHand.digest;
    if (machine.nodeBinary === undefined || machine.nodeBinary === slots.node) return;
    const link = pointLink(`${layout.bundle(kept)}/bin/node`, machine.nodeBinary);
    await remote.change("remote.install", `link Node ${machine.nodeBinary}`, link);
    context.restartNeeded = true;
  },
};
