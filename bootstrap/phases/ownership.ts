/** Ends a removal before it begins when the machine has become somebody else's, or another machine of the same environment. */
import { SpillwayError } from "../../agent/contract/errors.ts";
import { whereOf } from "../../agent/contract/machine.ts";
import { filledIn, type Phase } from "../context.ts";
import { isSameIdentity } from "../machine-facts.ts";

export const ownership: Phase = {
  title: "ownership",
  applies: (request) => request.identity !== undefined,
  async run(context) {
    const identity = filledIn(context.request.identity, "identity");
    const known = filledIn(context.facts, "facts").identity;
    if (known === undefined || isSameIdentity(known, identity)) return;
    throw new SpillwayError(`it is ${known.machine} of the environment "${known.environment}" (${known.environmentId}) by now`, {
      code: "not-ours",
      where: whereOf(context.request.machine),
      hint: "Nothing was removed from it.",
    });
  },
};
