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
  readonly providerId: string;
  readonly name: string;
  readonly environmentId: string;
  readonly status: "running" | "stopped";
}

export interface Provider {
  readonly name: string;

  /** The provider's word on one machine. Throws only when the provider itself can't be asked. */
  status(machine: Machine): Promise<MachineStatus>;

  /** Switches a stopped machine on and waits until it can be dialled; nothing happens to a running one. Throws `machine-gone`, and `machine-silent` where that can't be done from here. */
  start(machine: Machine): Promise<void>;

  /** Deletes it with everything that runs on it; one that its owner keeps is left. A machine that is gone already is no error. */
  delete(machine: Machine): Promise<void>;

  /** Every machine that bears this environment's tag, whoever made it. `where` is the provider's own scope (a directory, a region). */
  list(environmentId: string, where: string): Promise<ListedMachine[]>;
}
