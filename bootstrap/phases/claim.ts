/** Marks the machine as its environment's before anything else is put on it, so that whatever comes later is known for whose it is. */
import { writeFiles } from "../commands/files.ts";
import { filledIn, type Phase } from "../context.ts";
import { isSameIdentity } from "../machine-facts.ts";

export const claim: Phase = {
  title: "claim",
  applies: (request) => request.identity !== undefined,
  async run(context) {
    const wanted = filledIn(context.request.identity, "identity");
    const known = filledIn(context.facts, "facts").identity;
    if (known !== undefined && isSameIdentity(known, wanted) && known.environment === wanted.environment) return;
    const { identityFile, opt } = filledIn(context.layout, "layout");
    const { argv, stdin } = writeFiles([{ path: identityFile, content: `${JSON.stringify(wanted)}\n`, mode: "600" }], opt);
    const sentence = `mark it as ${wanted.machine} of ${wanted.environment}`;
    await filledIn(context.remote, "remote").change("remote.install", sentence, argv, { stdin, leavesFetched: true });
  },
};
