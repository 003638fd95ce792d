/** Reads in one go what the phases after it want to know of the machine; each of them reads as if nobody had. */
import { addressOf } from "../../agent/contract/endpoint.ts";
import { readReach, readTunnelReach } from "../commands/facts.ts";
import { readFiles } from "../commands/files.ts";
import { readPortInUse } from "../commands/ports.ts";
import { readCertificate } from "../commands/role.ts";
import { readSlots } from "../commands/slots.ts";
import { type BootstrapContext, type BootstrapRequest, filledIn, type Phase } from "../context.ts";
import { supervisionOf } from "../supervision.ts";
import { wantedFiles } from "../wanted-files.ts";

export const look: Phase = {
  title: "look",
  async run(context) {
    const { role, listenPort } = context.request;
    const layout = filledIn(context.layout, "layout");
    const facts = filledIn(context.facts, "facts");
    const { readSupervised, readOutdated } = supervisionOf(facts);
    const commands = [readSlots(layout, role), readSupervised(layout, role), readOutdated(layout, role)];
    const { all } = wantedFiles(context);
    if (all.length > 0) commands.push(readFiles(facts.sha256, all));
    if (role === "agent") commands.push(readCertificate(layout));
    if (listenPort !== undefined) commands.push(readPortInUse(listenPort));
    const reach = readMasterReach(context.request);
    if (reach !== undefined) commands.push(reach);
    await filledIn(context.remote, "remote").prefetch(commands);
  },
};

/** Whether the machine gets to the master as its agent will; undefined where that is not to be asked. */
export function readMasterReach({ dials, dialVia }: Pick<BootstrapRequest, "dials" | "dialVia">): string[] | undefined {
  if (dials === undefined) return undefined;
  if (dialVia !== undefined) return readTunnelReach(dialVia.host, dialVia.port);
  const { host, port } = addressOf(dials);
  return readReach(host, port);
}

/** The same for the phases after the installation, when that has changed something. */
export async function lookAgain(context: BootstrapContext): Promise<void> {
  const { role } = context.request;
  const layout = filledIn(context.layout, "layout");
  if (role !== "agent") return;
  const { readSupervised } = supervisionOf(filledIn(context.facts, "facts"));
  await filledIn(context.remote, "remote").prefetch([readSupervised(layout, role), readCertificate(layout)]);
}
