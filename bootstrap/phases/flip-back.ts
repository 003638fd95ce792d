/** Moves a role back to the bundle it ran before, with the files that it had then. */
import { flipBack as flipBackCommand } from "../commands/slots.ts";
import { filledIn, type Phase } from "../context.ts";

/** `digest`: the bundle to be left. */
export function flipBack(digest: string): Phase {
  return {
    title: "flip back",
    async run(context) {
      const { role } = context.request;
      const command = flipBackCommand(filledIn(context.layout, "layout"), role, digest);
      await filledIn(context.remote, "remote").change(
        "rollout.revert",
        `leave bundle ${digest.slice(0, 12)}: the ${role} goes back`,
        command,
      );
      context.restartNeeded = true;
    },
  };
}
