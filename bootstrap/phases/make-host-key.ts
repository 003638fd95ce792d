/** A machine that was born with a host key of ours makes its own, told over the connection that ours has verified. */
import { SpillwayError } from "../../agent/contract/errors.ts";
import { whereOf } from "../../agent/contract/machine.ts";
import { makeHostKey } from "../commands/host-key.ts";
import { readable } from "../commands/shell.ts";
import { filledIn, type Phase } from "../context.ts";

/** Hands the fingerprint to `onMade`. */
export function makeHostKeyPhase(onMade: (fingerprint: string) => void): Phase {
  return {
    title: "host key",
    async run(context) {
      const remote = filledIn(context.remote, "remote");
      const answer = (await remote.change("remote.host-key", "make a host key of its own", makeHostKey())).trim();
      if (!/^SHA256:[A-Za-z0-9+/]{43}$/.test(answer)) {
        throw new SpillwayError(`it made a host key and told no fingerprint: ${readable(answer, 200)}`, {
          code: "host-key-unknown",
          where: whereOf(context.request.machine),
          hint: "Run it again. An image without ssh-keygen can't be used.",
        });
      }
      onMade(answer);
    },
  };
}
