/** Deletes every trace of the role; what another role on the same machine still needs stays. */
import { readInstalled, uninstallRole } from "../commands/role.ts";
import { filledIn, type Phase } from "../context.ts";
import { supervisionOf } from "../supervision.ts";

export const uninstall: Phase = {
  title: "uninstall",
  async run(context) {
    const { role } = context.request;
    const remote = filledIn(context.remote, "remote");
    const layout = filledIn(context.layout, "layout");
    if (!(await remote.read(readInstalled(layout, role))).stdout.includes("installed")) return;
    const { forgetRole } = supervisionOf(filledIn(context.facts, "facts"));
    await remote.change("remote.remove", `unregister the ${role}`, forgetRole(layout, role));
    await remote.change("remote.remove", `delete the ${role} and all its files`, uninstallRole(layout, role));
  },
};
