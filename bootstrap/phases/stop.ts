/** Stops the role and its supervisor. */
import { readInstalled } from "../commands/role.ts";
import { filledIn, type Phase } from "../context.ts";
import { supervisionOf } from "../supervision.ts";

export const stop: Phase = {
  title: "stop",
  async run(context) {
    const { role } = context.request;
    const remote = filledIn(context.remote, "remote");
    const layout = filledIn(context.layout, "layout");
    if (!(await remote.read(readInstalled(layout, role))).stdout.includes("installed")) return;
    await remote.change("remote.stop", `stop the ${role}`, supervisionOf(filledIn(context.facts, "facts")).stopRole(layout, role));
  },
};
