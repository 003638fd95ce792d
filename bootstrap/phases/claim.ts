/** Marks the machine as its environment's before anything else is put on it, so that whatever comes later is known for whose it is. */
import { writeFile } from "../commands/files.ts";
import { filledIn, type Phase } from "../context.ts";
import { isSameIdentity } from "../machine-facts.ts";

export const claim: Phase = {
  title: "claim",
  applies: (request) => request.identity !== undefined,
  async run(context) {
    const wanted = filledIn(context.request.identity, "identity");
    const known = filledIn(context.facts, "facts").identity;
    if (known !== undefined && isSameIdentity(known, wanted) && known.environment === wanted.environment) return;
    const { identityFile } = filledIn(context.layout, "layout");
    await filledIn(context.remote, "remote").change(
      "remote.install",
      `mark it as ${wanted.machine} of ${wanted.environment}`,
      writeFile(identityFile, "600"),
      {
        stdin: `${JSON.stringify(wanted)}\n`,
      },
    );
  },
};
