/** Takes one role of Spillway off a machine, whatever state the machine is in. */
import { describeError, SpillwayError } from "../../agent/contract/errors.ts";
import type { AgentRole } from "../../agent/contract/install-layout.ts";
import { type Machine, whereOf } from "../../agent/contract/machine.ts";
import { removeRole } from "../../bootstrap/actions/remove.ts";
import { removalByHand } from "../../bootstrap/commands/removal-by-hand.ts";
import { identityFor } from "../../bootstrap/machine-facts.ts";
import type { MachineStatus } from "../../providers/provider.ts";
import { providerOf } from "../../providers/registry.ts";
import { isForgottenMachine } from "../node-removal.ts";
import { isForgotten } from "./master-access.ts";
import { isOutOfReach } from "./out-of-reach.ts";
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
 * @throws SpillwayError `machine-silent` or what SSH says of a host of one's own, unless it or its environment is forgotten.
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
    else if (!isOutOfReach(error)) throw error;
    else if (isGivenUp(removal)) context.log(`${describeError(error)}\n  Given up (--forget): the ${role} is still on it. ${byHand()}`);
    else throw error.code === "machine-silent" ? error : withWayOut(error, removal, role);
  }
}

/**
 * The provider's word on the machine, before anything is changed for its removal.
 * @throws SpillwayError `machine-silent`, unless it or its environment is forgotten.
 */
export async function refuseSilence(removal: Removal, role: AgentRole): Promise<MachineStatus> {
  const status = await providerOf(removal.machine.provider).status(removal.machine);
  if (status === "silent" && !isGivenUp(removal)) throw silent(removal, role);
  return status;
}

function isGivenUp({ machine, environment }: Removal): boolean {
  return isForgotten(environment) || isForgottenMachine(machine.name);
}

function silent(removal: Removal, role: AgentRole): SpillwayError {
  return new SpillwayError(`it does not answer, so the ${role} can't be taken off it`, {
    code: "machine-silent",
    where: whereOf(removal.machine),
    hint: `Switch it on and run it again.\n  ${wayOut(removal, role)}`,
  });
}

function withWayOut(error: SpillwayError, removal: Removal, role: AgentRole): SpillwayError {
  const hint = [...(error.hint === undefined ? [] : [error.hint]), wayOut(removal, role)].join("\n  ");
  return new SpillwayError(error.message, {
    code: error.code,
    ...(error.where === undefined ? {} : { where: error.where }),
    hint,
    cause: error,
  });
}

/** What can be done when it never answers again. */
function wayOut({ machine, environment }: Removal, role: AgentRole): string {
  const whole = `./spillway destroy ${environment} --forget ${environment} gives the whole environment up.`;
  if (machine.burst !== undefined) return `Of a burst: ./spillway fsck --fix ${environment} tries it again; ${whole}`;
  if (role === "master") return `If it is gone for good: ${whole}`;
  return `If it is gone for good: ./spillway nodes remove ${machine.name} --forget --env ${environment} takes its node alone out of the pool and the state; ${whole}`;
}

function byHand(): string {
  return `To remove it later, run there as root:\n  ${removalByHand()}`;
}
