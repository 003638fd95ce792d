/** Starts the role under its supervisor, or starts it anew when what it runs by has changed. */
import { filledIn, type Phase } from "../context.ts";
import { supervisionOf } from "../supervision.ts";

export const start: Phase = {
  title: "start",
  async run(context) {
    const { role } = context.request;
    const remote = filledIn(context.remote, "remote");
    const layout = filledIn(context.layout, "layout");
    const { readSupervised, readOutdated, startRole, stopRole } = supervisionOf(filledIn(context.facts, "facts"));
    const running = (await remote.read(readSupervised(layout, role))).stdout.includes("supervised");
    const isCurrent = async () => !(await remote.read(readOutdated(layout, role))).stdout.includes("outdated");
    if (running && !context.restartNeeded && (await isCurrent())) return;
    if (running) await remote.change("remote.stop", `stop the ${role} to start it anew`, stopRole(layout, role));
    await remote.change("remote.start", `start the ${role}`, startRole(layout, role));
  },
};
