/** How long each part of a launch took, read off the engine's events: what is told beside the plan in the ledger. */
import type { EngineEvent } from "@pulumi/pulumi/automation/index.js";
import type { LaunchPhase } from "../../agent/contract/ledger.ts";

/** The part of a launch that each phase of the bootstrap belongs to. */
const partOf: Readonly<Record<string, LaunchPhase>> = {
  connect: "boot",
  "host key": "ssh",
  facts: "ssh",
  preflight: "ssh",
  claim: "ssh",
  "upload bundle": "agent",
  install: "agent",
  join: "join",
  start: "join",
  ready: "join",
};

/**
 * `create` is the machine's own resource, `boot` the wait for its first answer, `ssh` looking at it, `agent` bringing what
 * runs on it, `join` until its node is ready. Of several machines the slowest counts, part by part.
 */
export function launchTimes(now: () => number = Date.now) {
  const begun = new Map<string, { part: LaunchPhase; at: number }>();
  const spent = new Map<string, Map<LaunchPhase, number>>();

  const enter = (urn: string, part: LaunchPhase | undefined) => {
    const at = now();
    const before = begun.get(urn);
    if (before?.part === part) return;
    if (before !== undefined) {
      const parts = spent.get(urn) ?? new Map<LaunchPhase, number>();
      spent.set(urn, parts.set(before.part, (parts.get(before.part) ?? 0) + at - before.at));
    }
    if (part === undefined) begun.delete(urn);
    else begun.set(urn, { part, at });
  };

  return {
    onEvent(event: EngineEvent): void {
      const before = event.resourcePreEvent?.metadata;
      const after = event.resOutputsEvent?.metadata;
      const said = event.diagnosticEvent;
      if (before !== undefined && isMachine(before.urn) && before.op === "create") enter(before.urn, "create");
      if (after !== undefined) enter(after.urn, undefined);
      if (said?.ephemeral !== true || said.urn === undefined || isMachine(said.urn)) return;
      const phase = /\d+\/\d+ ([a-z ]+)/.exec(said.message)?.[1]?.trim();
      const part = phase === undefined ? undefined : partOf[phase];
      if (part !== undefined) enter(said.urn, part);
    },

    /** Seconds by part; only those that were seen. */
    seconds(): Partial<Record<LaunchPhase, number>> {
      const slowest: Partial<Record<LaunchPhase, number>> = {};
      for (const parts of spent.values()) {
        for (const [part, ms] of parts) slowest[part] = Math.max(slowest[part] ?? 0, ms / 1000);
      }
      return slowest;
    },
  };
}

function isMachine(urn: string): boolean {
  return /spillway:index:(Local|Ssh)Machine::|aws:ec2\/instance:Instance::|azure-native:compute[^:]*:VirtualMachine::/.test(urn);
}
