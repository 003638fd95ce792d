/** Refuses, before anything is changed, a machine that can't carry the role; names everything that is wrong at once. */
import { SpillwayError } from "../../agent/contract/errors.ts";
import { readPortInUse } from "../commands/ports.ts";
import { readSupervised } from "../commands/role.ts";
import { type BootstrapRequest, filledIn, type MachineFacts, type Phase, whereOf } from "../context.ts";

/** The unpacked Node binary and bundle twice over (old and new side by side), with room for logs. */
const neededDiskMiB = { uploaded: 600, linked: 64 };

export const preflight: Phase = {
  title: "preflight",
  async run(context) {
    const facts = filledIn(context.facts, "facts");
    const remote = filledIn(context.remote, "remote");
    const layout = filledIn(context.layout, "layout");
    const { request } = context;
    const problems = machineProblems(facts, request);
    if (request.listenPort !== undefined) {
      const running = (await remote.read(readSupervised(layout, request.role))).stdout.includes("supervised");
      if (!running && (await remote.read(readPortInUse(request.listenPort))).stdout.includes("in-use")) {
        problems.push(`port ${request.listenPort} is in use by another program`);
      }
    }
    if (problems.length === 0) return;
    throw new SpillwayError(`it can't take the ${request.role}: ${problems.join("; ")}`, {
      code: problems.some((problem) => problem.startsWith("port")) ? "port-in-use" : "preflight-failed",
      where: whereOf(request.machine),
      hint: problems.some((problem) => problem.startsWith("port"))
        ? `Nothing was changed on it. Stop that program (ss -ltnp 'sport = :${request.listenPort}' names it) and run it again.`
        : "Nothing was changed on it. Mend that and run it again.",
    });
  },
};

/** What stands against this machine, each as a clause for a person; pure. */
export function machineProblems(facts: MachineFacts, request: Pick<BootstrapRequest, "machine">): string[] {
  const linked = request.machine.nodeBinary !== undefined;
  const problems: string[] = [];
  if (linked) {
    if (facts.os !== "linux" && facts.os !== "darwin") problems.push(`its system is ${facts.os}; linux and darwin can take it`);
  } else {
    if (facts.os !== "linux") problems.push(`its system is ${facts.os}; the bundle is for linux`);
    if (facts.arch !== "x64") problems.push(`its processor is ${facts.arch}; the bundle of this version is for x64`);
    if (facts.libc === "musl") problems.push("its C library is musl; the bundle's Node needs glibc");
  }
  const needed = linked ? neededDiskMiB.linked : neededDiskMiB.uploaded;
  if (facts.diskFreeMiB < needed) problems.push(`${facts.diskFreeMiB} MiB free on its disk, ${needed} MiB needed`);
  if (facts.missingTools.length > 0) problems.push(`it lacks ${facts.missingTools.join(", ")}`);
  if (facts.sha256.length === 0) problems.push("it has neither sha256sum nor shasum");
  return problems;
}
