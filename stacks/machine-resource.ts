/** The Pulumi resource of a wanted machine, by its provider. */
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { Machine } from "../agent/contract/machine.ts";
import { LocalMachine } from "../providers/local/local-machine.ts";
import { SshMachine } from "../providers/ssh/ssh-machine.ts";
import type { StateLayout } from "./state-layout.ts";
import type { WantedMachine } from "./wanted-machines.ts";

export interface Surroundings {
  readonly environmentId: pulumi.Output<string>;
  readonly layout: StateLayout;
  /** Of the master; undefined for one that chooses a free port. */
  readonly endpoint: URL | undefined;
  /** Whether the master will run on it. */
  readonly isCarrier: boolean;
}

export interface MachineResource {
  readonly name: string;
  readonly isCarrier: boolean;
  readonly resource: pulumi.Resource;
  readonly machine: pulumi.Output<Machine>;
  /** Why it can't be used, as last looked at; a machine that we make has no such thing: it is made, or that fails. */
  readonly problem?: pulumi.Output<string | undefined>;
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
    const { cpu, memory, disk, labels, node } = wanted.settings;
    const capacity = { cpu, memory, disk, gpus: [] };
    const directory = join(layout.machines, name);
    const resource = new LocalMachine(name, { environmentId, name, pool, directory, capacity, labels, node }, options);
    return { name, isCarrier, resource, machine: resource.machine, onFailure: "stop" };
  }
  const { host, port, user, credential, hostKey, trustOnFirstUse, jump, labels, site, price } = wanted.host;
  const ways = isCarrier ? { listenPort: Number(endpoint?.port || 443) } : { dials: endpoint?.origin };
  const resource = new SshMachine(
    name,
    {
      environmentId,
      environment: pulumi.getStack(),
      name,
      pool,
      host,
      port,
      user,
      credential,
      trustOnFirstUse,
      labels,
      ...withoutUndefined({ hostKey, jump, site, price, ...ways }),
    },
    options,
  );
  const { onFailure } = wanted.settings;
  return { name, isCarrier, resource, machine: resource.machine, problem: resource.problem, onFailure };
}

/** Pulumi's input types know no undefined. */
function withoutUndefined<T extends object>(record: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
