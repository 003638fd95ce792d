/** The component `Environment`: one pool of machines with its master. It only wires; every station does its own work. */
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { Machine } from "../agent/contract/machine.ts";
import { Master } from "../bootstrap/master.ts";
import { Node } from "../bootstrap/node.ts";
import { LocalMachine } from "../providers/local/local-machine.ts";
import { Authority } from "./authority.ts";
import { machineNames } from "./machine-names.ts";
import { PoolGuard } from "./pool-guard.ts";
import type { EnvironmentSettings } from "./settings.ts";
import type { StateLayout } from "./state-layout.ts";

export class Environment extends pulumi.ComponentResource {
  readonly masterUrl: pulumi.Output<string>;
  readonly ca: pulumi.Output<string>;
  readonly pool: pulumi.Output<{ nodes: number; cpuMillicores: number; memoryMiB: number }>;

  constructor(name: string, settings: EnvironmentSettings, layout: StateLayout, options?: pulumi.ComponentResourceOptions) {
    super("spillway:index:Environment", name, {}, options);
    const child = { parent: this };
    const authority = new Authority("authority", { environment: name, machines: layout.machines, contextFile: layout.context }, child);
    const { environmentId, caCert, adminToken } = authority;

    const machines = machineNames(settings).map((named) => {
      const pool = settings.pools[named.pool] as EnvironmentSettings["pools"][string];
      const { cpu, memory, disk, labels, node } = pool;
      const directory = join(layout.machines, named.name);
      const args = { environmentId, ...named, directory, capacity: { cpu, memory, disk, gpus: [] }, labels, node };
      return { ...named, resource: new LocalMachine(named.name, args, child) };
    });
    const carrier = machines.find((machine) => machine.pool === settings.masters.pool) as (typeof machines)[number];

    const master = new Master(
      "master",
      {
        machine: carrier.resource.machine,
        environment: name,
        environmentId,
        caCert,
        intermediateCert: authority.intermediateCert,
        intermediateKey: authority.intermediateKey,
        adminToken,
        timers: settings.heartbeat,
        contextFile: layout.context,
      },
      child,
    );
    const access = { environment: name, endpoint: master.endpoint, masterInstance: master.instance, caCert, adminToken };
    const { reserve } = settings.masters;
    const nodes = machines.map((machine) => {
      const kept = machine === carrier ? { reserve } : {};
      return new Node(`node-${machine.name}`, { ...access, machine: machine.resource.machine, ...kept }, child);
    });
    const guard = new PoolGuard(
      "pool-guard",
      {
        ...access,
        machines: machines.map((machine): pulumi.Output<Machine> => machine.resource.machine),
        reserve,
        logDirectory: layout.logs,
      },
      { ...child, dependsOn: nodes },
    );

    this.masterUrl = master.endpoint;
    this.ca = caCert;
    this.pool = pulumi
      .all([guard.nodes, guard.cpu, guard.memory])
      .apply(([count, cpuMillicores, memoryMiB]) => ({ nodes: count, cpuMillicores, memoryMiB }));
    this.registerOutputs({ masterUrl: this.masterUrl, ca: this.ca, pool: this.pool });
  }
}
