/** Whether a machine could become a node: everything that is looked at before a change, and nothing changed. */
import type { Machine } from "../../agent/contract/machine.ts";
import { type BootstrapContext, type BootstrapRequest, nothingToInstall } from "../context.ts";
import type { Finding } from "../findings.ts";
import type { MachineFacts } from "../machine-facts.ts";
import { connect } from "../phases/connect.ts";
import { facts } from "../phases/facts.ts";
import { lookAround } from "../phases/preflight.ts";
import { runPhases } from "../run-phases.ts";

export interface CheckRequest extends Pick<BootstrapRequest, "onProgress" | "signal" | "listenPort" | "dials" | "identity" | "patienceMs"> {
  readonly machine: Machine;
}

export interface HostReport {
  readonly facts: MachineFacts;
  readonly findings: readonly Finding[];
}

/** Throws what `connectSession` throws, and `no-posix-shell`. */
export async function checkMachine(request: CheckRequest): Promise<HostReport> {
  let report: HostReport | undefined;
  const look = {
    title: "preflight",
    run: async (context: BootstrapContext) => {
      const findings = await lookAround(context);
      if (context.facts !== undefined) report = { facts: context.facts, findings };
    },
  };
  await runPhases([connect, facts, look], {
    ...request,
    role: request.listenPort === undefined ? "agent" : "master",
    ...nothingToInstall,
    patienceMs: request.patienceMs ?? nothingToInstall.patienceMs,
  });
  if (report === undefined) throw new Error("bug: the phases ended without a report");
  return report;
}
