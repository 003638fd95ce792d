/** Moves a role from the bundle it runs to the one that was brought, keeping the way back. It is a trial until it is ended. */
import { beginTrial, flipSlots } from "../commands/slots.ts";
import { filledIn, type Phase } from "../context.ts";
import type { TrialNote } from "../slots.ts";
import { supervisionOf } from "../supervision.ts";
import { putWhatDiffers } from "../wanted-files.ts";
import { relabel } from "./install.ts";

/** `note`: what the role has to prove. */
export function flip(digest: string, note: TrialNote): Phase {
  return {
    title: "flip",
    async run(context) {
      const { role } = context.request;
      const remote = filledIn(context.remote, "remote");
      const layout = filledIn(context.layout, "layout");
      const files = supervisionOf(filledIn(context.facts, "facts")).files(layout, role);
      const begin = beginTrial(layout, role, { digest, files: files.map(({ path }) => path) });
      await remote.change("rollout.flip", `keep the way back of the ${role}`, begin, { stdin: JSON.stringify(note) });
      await putWhatDiffers(files, context);
      if (context.restartNeeded) await relabel(context);
      const sentence = `point the ${role} at bundle ${digest.slice(0, 12)}, and keep the one before`;
      await remote.change("rollout.flip", sentence, flipSlots(layout, role, digest));
      context.restartNeeded = true;
    },
  };
}
