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
  /** Its making failed, and the cloud keeps it all the same: nothing was ever on it. */
  readonly neverRan?: true;
  /** ms since the epoch, where the provider knows it. */
  readonly madeAt?: number;
}

/**
 * What a cloud bills or counts beside machines: a disk, an address, an interface, a key, a firewall's group, a network, a
 * group of resources with all it holds. It is found by the same tags.
 */
export interface ListedThing {
  readonly kind: "disk" | "address" | "interface" | "key" | "security-group" | "network" | "resource-group";
  /** The provider's own name for it; unique at the provider. */
  readonly id: string;
  readonly provider: string;
  readonly region: string;
  readonly environmentId: string;
  /** The burst's tag; none on what belongs to node pools or to the environment as a whole. */
  readonly burst?: string;
  /** Id of the machine that it hangs on, where it hangs on one that exists. */
  readonly of?: string;
  /** USD/hour, where it costs and that is known. */
  readonly hourly?: number;
}

export interface Listing {
  readonly machines: readonly ListedMachine[];
  /** Beside machines; empty where a provider has no such things. */
  readonly things: readonly ListedThing[];
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
  /** Where in each cloud machines of this environment may be, by the provider's name. */
  readonly clouds: Readonly<Record<string, CloudScope>>;
}

export interface CloudScope {
  /** Regions as the cloud names them. */
  readonly regions: readonly string[];
  /** Azure's subscription; undefined: the one that whoever asks is logged in to. */
  readonly subscription?: string;
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
  /** Its machines are made and deleted whole, are billed, and can ask it who they are by instance metadata. */
  readonly isCloud: boolean;

  /** The provider's word on one machine. Throws only when the provider itself can't be asked. */
  status(machine: Machine): Promise<MachineStatus>;

  /** Switches a stopped machine on and waits until it can be dialled; nothing happens to a running one. Throws `machine-gone`, and `machine-silent` where that can't be done from here. */
  start(machine: Machine): Promise<void>;

  /** Deletes it with everything that runs on it; one that its owner keeps is left. A machine that is gone already is no error. */
  delete(machine: Machine): Promise<void>;

  /** Every machine that bears this environment's tag, whoever made it, and what hangs on machines. Throws only when the provider itself can't be asked. */
  list(environmentId: string, scope: ListScope): Promise<Listing>;

  /** Deletes a thing that no machine needs any more; one that is gone already is no error. Only providers that list things have it. */
  deleteThing?(thing: ListedThing): Promise<void>;

  /** The command, run on the machine as its agent's user, by which it ends itself; empty where its owner keeps it. */
  endCommand(machine: Machine): readonly string[];
}

/**
 * Why a cloud did not do what it was asked, as far as someone can act on it:
 * - `no-capacity`: it has no such machine there right now; another place, type or market may;
 * - `quota`: the account's own limit;
 * - `throttled`: asked too often, later it will do;
 * - `credentials`: missing, expired or wrong;
 * - `not-allowed`: whoever asks may not do that;
 * - `image-gone`: the image does not exist (any more) there.
 */
export type CloudProblem = "no-capacity" | "quota" | "throttled" | "credentials" | "not-allowed" | "image-gone";

/** One type of machine that a cloud sells in one region, with its prices; what offers are made of. */
export interface CatalogEntry {
  readonly instanceType: string;
  readonly region: string;
  /** Zones that sell it, as the cloud names them; empty where a machine needs no zone. */
  readonly zones: readonly string[];
  readonly arch: "x64" | "arm64";
  /** millicores, MiB. */
  readonly cpu: number;
  readonly memory: number;
  readonly gpus: readonly { readonly model: string; readonly count: number }[];
  /** Whether it is a whole host without a hypervisor. */
  readonly isBareMetal: boolean;
  /** Whether its CPU is only lent beyond a base line (AWS T, Azure B). */
  readonly isBurstable: boolean;
  /** Of the types that share a quota with this one; a key of the catalog's `quota`, where that is known. */
  readonly quotaFamily?: string;
  /** USD/hour; undefined: not sold so, or not known. */
  readonly onDemand?: number;
  /** USD/hour by zone, or under "" where it has no zone. */
  readonly spot: Readonly<Record<string, number>>;
  /** Share of its spot machines that the cloud takes back, at the least (`reclaimBands`); undefined where that is not known. */
  readonly reclaimed?: number;
}

/** What a cloud sold when it was asked, kept so that it can be used without a network. */
export interface Catalog {
  readonly provider: string;
  readonly region: string;
  /** ms since the epoch. */
  readonly fetchedAt: number;
  /** USD/hour of one GiB of a machine's disk, and of one public address. */
  readonly diskGiB: number;
  readonly publicAddress: number;
  readonly entries: readonly CatalogEntry[];
  /**
   * What the account may still start, in vCPUs, by `quotaFamily` ("" is all types together) and market; what is not there bounds
   * nothing. Undefined where it could not be read.
   */
  readonly quota?: Readonly<Record<string, Readonly<Partial<Record<"on-demand" | "spot", number>>>>>;
  /** Why it could not, in the cloud's words. */
  readonly quotaUnknown?: string;
  /** Why it is not known how often spot machines are taken back. */
  readonly reclaimsUnknown?: string;
}
