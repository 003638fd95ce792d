/** Reads what the machine is, and becomes root on it where that takes sudo. */
import { SpillwayError } from "../../agent/contract/errors.ts";
import { installLayout } from "../../agent/contract/install-layout.ts";
import { whereOf } from "../../agent/contract/machine.ts";
import { readMachineFacts } from "../commands/facts.ts";
import { readable } from "../commands/shell.ts";
import { sudoWithoutPassword } from "../commands/sudo.ts";
import { filledIn, type Phase } from "../context.ts";
import { machineFacts } from "../machine-facts.ts";
import { becomeRoot } from "../sudo-password.ts";

export const facts: Phase = {
  title: "facts",
  async run(context) {
    const remote = filledIn(context.remote, "remote");
    const { machine } = context.request;
    const asked = Date.now();
    const byPassword = machine.sudoPassword === undefined ? undefined : await becomeRoot(remote, machine, readMachineFacts());
    const result = byPassword?.result ?? (await remote.read(readMachineFacts()));
    const found = machineFacts(result.stdout, asked, Date.now());
    if (found === undefined) {
      throw new SpillwayError(`its shell did not answer as a POSIX shell does: ${readable(result.stderr.trim(), 200)}`, {
        code: "no-posix-shell",
        where: whereOf(machine),
        hint: "Its user needs sh as login shell.",
      });
    }
    context.facts = byPassword === undefined ? found : { ...found, rights: "sudo-password" };
    context.layout = installLayout(found.root);
    if (byPassword !== undefined) context.remote = byPassword.remote;
    else if (found.root === "" && found.rights === "sudo") context.remote = remote.as(sudoWithoutPassword);
  },
};
