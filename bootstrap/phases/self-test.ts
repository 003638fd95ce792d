/** The new bundle looks, on the machine, whether it could run the role there; the running one is not touched. */
import { SpillwayError } from "../../agent/contract/errors.ts";
import { whereOf } from "../../agent/contract/machine.ts";
import { readable } from "../commands/shell.ts";
import { selfTest as selfTestCommand } from "../commands/slots.ts";
import { filledIn, type Phase } from "../context.ts";

export const selfTest: Phase = {
  title: "self-test",
  async run(context) {
    const { role, machine } = context.request;
    const remote = filledIn(context.remote, "remote");
    const { digest } = filledIn(context.bundle, "bundle");
    const { code, stderr } = await remote.read(selfTestCommand(filledIn(context.layout, "layout"), role, digest));
    // Bundles before 0.4 have no such look.
    if (code === 0 || stderr.includes('there is no command "check"')) return;
    const words = readable(stderr.trim(), 1000).replace(/^spillway: /, "");
    throw new SpillwayError(
      `the bundle ${digest.slice(0, 12)} can't run the ${role} there: ${words === "" ? `its self-test ended with ${code}` : words}`,
      {
        code: "self-test-failed",
        where: whereOf(machine),
        hint: "What runs there goes on as it was.",
      },
    );
  },
};
