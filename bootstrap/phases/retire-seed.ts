/** The machine's own host key is pinned by now, so the one that it was born with goes. */
import { retireSeed as command } from "../commands/host-key.ts";
import { filledIn, type Phase } from "../context.ts";

export const retireSeed: Phase = {
  title: "retire seed",
  async run(context) {
    if (filledIn(context.facts, "facts").hasSeed !== true) return;
    const sentence = "take away the host key that it was born with";
    await filledIn(context.remote, "remote").change("remote.retire-seed", sentence, command());
  },
};
