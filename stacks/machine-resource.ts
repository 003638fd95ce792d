/** The Pulumi resource of a machine, by its provider: of one that the settings want, or of one that a burst takes. */
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { Machine } from "../agent/contract/machine.ts";
import { LocalMachine } from "../providers/local/local-machine.ts";
import type { InventoryHost } from "../providers/ssh/inventory.ts";
import { SshMachine } from "../providers/ssh/ssh-machine.ts";
import type { BurstPool } from "./burst-settings.ts";
import type { StateLayout } from "./state-layout.ts";
import { type WantedMachine, waysOf } from "./wanted-machines.ts";

export interface Surroundings {
  readonly environmentId: pulumi.Output<string>;
  readonly layout: StateLayout;
  /** Of the master; undefined for one that chooses a free port. */
  readonly endpoint: URL | undefined;
  /** Whether the master will run on it. */
  readonly isCarrier: boolean;
}

export interface MadeMachine {
  readonly resource: pulumi.Resource;
  readonly machine: pulumi.Output<Machine>;
  /** Why it can't be used, as last looked at; a machine that we make has no such thing: it is made, or that fails. */
  readonly problem?: pulumi.Output<string | undefined>;
}

export interface MachineResource extends MadeMachine {
  readonly name: string;
  readonly isCarrier: boolean;
  /** What its problem means for the others. */
  readonly onFailure: "stop" | "continue";
}

export function machineResource(
  wanted: WantedMachine,
  { environmentId, layout, endpoint, isCarrier }: Surroundings,
  options: pulumi.CustomResourceOptions,
): MachineResource {
  const { name, pool } = wanted;
  if (wanted.provider === "local") {
    const { labels, node } = wanted.settings;
    const capacity = capacityOf(wanted.settings);
    const directory = join(layout.machines, name);
    const resource = new LocalMachine(name, { environmentId, name, pool, directory, capacity, labels, node }, options);
    return { name, isCarrier, resource, machine: resource.machine, onFailure: "stop" };
  }
  const own = { environmentId, environment: pulumi.getStack(), name, pool, ...waysOf(endpoint, isCarrier) };
  return { name, isCarrier, onFailure: wanted.settings.onFailure, ...hostResource(wanted.host, own, options) };
}

export interface BurstMachine {
  /** Id of its node, and its name. */
  readonly node: string;
  readonly burst: string;
  readonly poolName: string;
  readonly pool: BurstPool;
  /** The name of the host that was chosen, of a pool of hosts. */
  readonly host?: string;
  readonly environment: string;
  readonly environmentId: string;
  /** Directory of the environment's local machines. */
  readonly machines: string;
  /** The master's https URL. */
  readonly endpoint: string;
}

/** The machine of a burst's node. Throws a plain Error for a host that is not in the pool (any more). */
export function burstMachine(wanted: BurstMachine, options: pulumi.CustomResourceOptions = {}): MadeMachine {
  const { node: name, burst, poolName, pool, environment, environmentId, machines, endpoint } = wanted;
  const capacity = capacityOf(pool);
  if (pool.provider === "local") {
    const { labels, node, price } = pool;
    const directory = join(machines, name);
    const resource = new LocalMachine(
      name,
      { environmentId, name, pool: poolName, directory, capacity, labels, node, burst, price },
      options,
    );
    return { resource, machine: resource.machine };
  }
  const host = pool.hosts.find((one) => one.name === wanted.host);
  if (host === undefined) throw new Error(`the burst pool ${poolName} has no host ${wanted.host} (any more)`);
  return hostResource(
    host,
    { environmentId, environment, name, pool: poolName, burst, capacity, ...waysOf(new URL(endpoint), false) },
    options,
  );
}

interface HostIdentity {
  readonly environmentId: pulumi.Input<string>;
  readonly environment: string;
  readonly name: string;
  readonly pool: string;
  readonly burst?: string;
  /** What tasks may use of it; without it its agent measures. */
  readonly capacity?: ReturnType<typeof capacityOf>;
  readonly listenPort?: number;
  readonly dials?: string | undefined;
}

function hostResource(host: InventoryHost, own: HostIdentity, options: pulumi.CustomResourceOptions): MadeMachine {
  const { environmentId, environment, name, pool, ...others } = own;
  const { name: _, host: address, port, user, credential, trustOnFirstUse, labels, ...known } = host;
  const resource = new SshMachine(
    name,
    {
      environmentId,
      environment,
      name,
      pool,
      host: address,
      port,
      user,
      credential,
      trustOnFirstUse,
      labels,
      ...withoutUndefined({ ...known, ...others }),
    },
    options,
  );
  return { resource, machine: resource.machine, problem: resource.problem.apply((problem) => (problem === "" ? undefined : problem)) };
}

function capacityOf({ cpu, memory, disk }: { readonly cpu: number; readonly memory: number; readonly disk: number }) {
  return { cpu, memory, disk, gpus: [] };
}

/** Pulumi's input types know no undefined. */
function withoutUndefined<T extends object>(record: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
