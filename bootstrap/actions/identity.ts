/** Whose a machine is, by its own word. Nothing is changed on it. */
import { SpillwayError } from "../../agent/contract/errors.ts";
import { type Machine, whereOf } from "../../agent/contract/machine.ts";
import { type BootstrapContext, nothingToInstall } from "../context.ts";
import type { MachineFacts, MachineIdentity } from "../machine-facts.ts";
import { connect } from "../phases/connect.ts";
import { facts } from "../phases/facts.ts";
import { runPhases } from "../run-phases.ts";

export interface IdentityRequest {
  readonly machine: Machine;
  readonly signal?: AbortSignal;
}

/**
 * Undefined when it is nobody's.
 * Throws what `connectSession` throws, `no-posix-shell`, and `rights-missing` where its user may not read it.
 */
export async function readMachineIdentity({ machine, signal }: IdentityRequest): Promise<MachineIdentity | undefined> {
  let found: MachineFacts | undefined;
  const read = {
    title: "identity",
    run: async (context: BootstrapContext) => {
      found = context.facts;
    },
  };
  await runPhases([connect, facts, read], {
    machine,
    role: "agent",
    ...nothingToInstall,
    ...(signal === undefined ? {} : { signal }),
  });
  if (found === undefined) throw new Error("bug: the phases ended without facts");
  // What can't be read is not nothing: the file is root's alone.
  if (found.root === "" && (found.rights === "none" || found.rights === "no-sudo")) {
    throw new SpillwayError(
      `its user ${machine.user} is neither root nor may it use sudo without a password, so it can't be told whose it is`,
      {
        code: "rights-missing",
        where: whereOf(machine),
        hint: `spillway doctor ${machine.name} tells what it needs.`,
      },
    );
  }
  return found.identity;
}
