/** Takes one role of Spillway off a machine, whatever state the machine is in. */
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import type { AgentRole } from "../../agent/contract/install-layout.ts";
import { type Machine, whereOf } from "../../agent/contract/machine.ts";
import { removeRole } from "../../bootstrap/actions/remove.ts";
import { identityFor } from "../../bootstrap/machine-facts.ts";
import { providerOf } from "../../providers/registry.ts";
import { isForgotten } from "./master-access.ts";
import type { ResourceContext } from "./rpc.ts";

export interface Removal {
  readonly machine: Machine;
  readonly environment: string;
  /** Undefined in stacks of version 0.1. */
  readonly environmentId?: string | undefined;
}

/**
 * A machine that is off is started first; one that is gone holds nothing to remove; one that has become somebody else's is
 * left alone.
 * @throws SpillwayError `machine-silent` or what SSH says of a host of one's own, unless its environment is forgotten.
 */
export async function removeFromMachine(removal: Removal, role: AgentRole, context: ResourceContext): Promise<void> {
  const { machine, environment, environmentId } = removal;
  const provider = providerOf(machine.provider);
  const status = await provider.status(machine);
  if (status === "gone") return;
  try {
    if (status === "silent") throw silent(removal, role);
    await provider.start(machine);
    const identity = identityFor(machine, { environmentId, environment });
    await removeRole({ machine, role, identity, onProgress: context.status, onSentence: context.sentence, signal: context.signal });
  } catch (error) {
    if (!(error instanceof SpillwayError)) throw error;
    if (error.code === "not-ours") context.log(`${whereOf(machine)} was left alone: ${error.message}`);
    else if (isForgotten(environment) && outOfReach.includes(error.code))
      context.log(`${describeError(error)}\n  Given up (--forget): the ${role} is still on it. ${byHand}`);
    else throw error;
  }
}

const outOfReach = [
  "machine-silent",
  "ssh-unreachable",
  "ssh-auth-failed",
  "ssh-lost",
  "host-key-mismatch",
  "host-key-unknown",
  "credential-missing",
];

function silent({ machine, environment }: Removal, role: AgentRole): SpillwayError {
  return new SpillwayError(`it does not answer, so the ${role} can't be taken off it`, {
    code: "machine-silent",
    where: whereOf(machine),
    hint: `Switch it on and run it again. If it is gone for good: \`pulumi state delete\` with the URN of its node takes it alone out of the state; ./spillway destroy ${environment} --forget ${environment} gives the whole environment up.`,
  });
}

/** What takes everything of Spillway off a host that was out of reach when its environment went. */
const byHand =
  "To remove it by hand there: systemctl disable --now spillway-agent spillway-master; systemctl stop 'spillway-task-*'; rm -rf /opt/spillway /etc/spillway /var/lib/spillway /var/log/spillway /etc/systemd/system/spillway-*.service; systemctl daemon-reload";
