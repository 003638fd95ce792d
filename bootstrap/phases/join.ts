/** Gives the agent its certificate: a single-use token goes over SSH's stdin, the agent makes its own key and asks the master. */
import { X509Certificate } from "node:crypto";
import { joinNode, readCertificate } from "../commands/role.ts";
import { filledIn, type Phase } from "../context.ts";

export const join: Phase = {
  title: "join",
  applies: (request) => request.role === "agent",
  async run(context) {
    const { request } = context;
    const remote = filledIn(context.remote, "remote");
    const layout = filledIn(context.layout, "layout");
    const certificate = (await remote.read(readCertificate(layout))).stdout;
    const hasCertificate = isGood(certificate) && !certificate.includes("authority=changed");
    const token = await request.joinToken?.({ hasCertificate });
    if (token === undefined) return;
    await remote.change("remote.join", `join the pool as ${request.machine.name}`, joinNode(layout), { stdin: `${token}\n` });
    context.restartNeeded = true;
  },
};

/** An agent renews its certificate long before; one that was off for days has to join again. */
const leastValidMs = 3_600_000;

/** Whether the PEM is a certificate that is good for a while yet. */
export function isGood(pem: string, now = Date.now()): boolean {
  if (pem.trim() === "") return false;
  try {
    return new X509Certificate(pem).validToDate.getTime() - now > leastValidMs;
  } catch {
    return false;
  }
}
