/**
 * What every provider of machines promises. `test/contract/provider.contract.ts` runs against each of them.
 *
 * The provider's word is the only one that counts on whether a machine exists: a host that does not answer over SSH is
 * silent, not gone.
 */
import type { Machine } from "../agent/contract/machine.ts";

/**
 * - `running`: it exists and can be reached as far as the provider knows;
 * - `stopped`: it exists with its disk, its power is off, nothing runs on it;
 * - `silent`: it can't be told, since only its owner knows whether it has power, and it does not answer;
 * - `gone`: it does not exist (any more), and nothing is paid for it.
 */
export type MachineStatus = "running" | "stopped" | "silent" | "gone";

/** A machine as the provider lists it, found by its environment's tag and not by our own records. */
export interface ListedMachine {
  readonly machine: Machine;
  readonly environmentId: string;
  /** The burst's tag; none on a machine of a node pool. */
  readonly burst?: string;
  readonly status: "running" | "stopped";
  /** ms since the epoch, where the provider knows it. */
  readonly madeAt?: number;
}

export interface Listing {
  readonly machines: readonly ListedMachine[];
  /** What could not be asked whose it is, each with the reason: such a machine may bear the tag. */
  readonly unasked: readonly { readonly machine: Machine; readonly why: string }[];
}

/** Where a provider looks. Each uses its own part; none of it is a record of what was made. */
export interface ListScope {
  /** The directory of local machines. */
  readonly directory: string;
  /** Hosts of one's own that may bear the tag. */
  readonly hosts: readonly Machine[];
  /** Whose a host is by its own word, undefined: nobody's. Rejects when it can't be asked. */
  readonly identityOf: (machine: Machine) => Promise<HostIdentity | undefined>;
}

/** What the bootstrap wrote on a host: its tags. */
export interface HostIdentity {
  readonly environmentId: string;
  readonly environment: string;
  readonly machine: string;
  readonly burst?: string | undefined;
}

export interface Provider {
  readonly name: string;

  /** The provider's word on one machine. Throws only when the provider itself can't be asked. */
  status(machine: Machine): Promise<MachineStatus>;

  /** Switches a stopped machine on and waits until it can be dialled; nothing happens to a running one. Throws `machine-gone`, and `machine-silent` where that can't be done from here. */
  start(machine: Machine): Promise<void>;

  /** Deletes it with everything that runs on it; one that its owner keeps is left. A machine that is gone already is no error. */
  delete(machine: Machine): Promise<void>;

  /** Every machine that bears this environment's tag, whoever made it. Throws only when the provider itself can't be asked. */
  list(environmentId: string, scope: ListScope): Promise<Listing>;

  /** The command, run on the machine as its agent's user, by which it ends itself; empty where its owner keeps it. */
  endCommand(machine: Machine): readonly string[];
}
