/** Ends a removal before it begins when the machine has become somebody else's, or another machine of the same environment. */
import { SpillwayError } from "../../agent/contract/errors.ts";
import { whereOf } from "../../agent/contract/machine.ts";
import { filledIn, type Phase } from "../context.ts";

export const ownership: Phase = {
  title: "ownership",
  applies: (request) => request.identity !== undefined,
  async run(context) {
    const { identity, machine } = context.request;
    const known = filledIn(context.facts, "facts").identity;
    if (known === undefined || (known.environmentId === identity?.environmentId && known.machine === identity.machine)) return;
    throw new SpillwayError(`it is ${known.machine} of the environment "${known.environment}" (${known.environmentId}) by now`, {
      code: "not-ours",
      where: whereOf(machine),
      hint: "Nothing was removed from it.",
    });
  },
};
