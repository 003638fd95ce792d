/** Gives the agent its certificate: a single-use token goes over SSH's stdin, the agent makes its own key and asks the master. */
import { parseFacts, readInstallation } from "../commands/facts.ts";
import { joinNode } from "../commands/role.ts";
import { filledIn, type Phase } from "../context.ts";

export const join: Phase = {
  title: "join",
  applies: (request) => request.role === "agent",
  async run(context) {
    const { request } = context;
    const remote = filledIn(context.remote, "remote");
    const layout = filledIn(context.layout, "layout");
    const bundle = filledIn(context.bundle, "bundle");
    const installed = parseFacts((await remote.read(readInstallation(layout, "agent", bundle.digest))).stdout);
    const token = await request.joinToken?.({ hasCertificate: installed.has("certificate") && !context.authorityChanged });
    if (token === undefined) return;
    await remote.change("remote.join", `join the pool as ${request.machine.name}`, joinNode(layout), { stdin: `${token}\n` });
    context.restartNeeded = true;
  },
};
