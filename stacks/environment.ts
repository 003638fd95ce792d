/** The component `Environment`: one pool of machines with its master. It only wires; every station does its own work. */
import * as pulumi from "@pulumi/pulumi";
import { Master } from "../bootstrap/master.ts";
import { Node } from "../bootstrap/node.ts";
import { Rollout } from "../bootstrap/rollout.ts";
import { Authority } from "./authority.ts";
import { Burster, type BursterArgs } from "./burster.ts";
import { type MachineResource, machineResource } from "./machine-resource.ts";
import { PoolGuard } from "./pool-guard.ts";
import { Preflight } from "./preflight.ts";
import type { EnvironmentSettings } from "./settings.ts";
import type { StateLayout } from "./state-layout.ts";
import { masterEndpoint, mastersMachine, type PlannedSettings, systemReserves, wantedMachines } from "./wanted-machines.ts";

export interface PoolSummary {
  readonly nodes: number;
  readonly cpuMillicores: number;
  readonly memoryMiB: number;
  /** USD/hour, summed over the machines' prices. */
  readonly hourly: number;
}

export class Environment extends pulumi.ComponentResource {
  readonly masterUrl: pulumi.Output<string>;
  readonly ca: pulumi.Output<string>;
  readonly pool: pulumi.Output<PoolSummary>;
  /** Machines that can't be used and are no failure, each with the reason. */
  readonly leftOut: pulumi.Output<string[]>;

  constructor(name: string, settings: PlannedSettings, layout: StateLayout, options?: pulumi.ComponentResourceOptions) {
    super("spillway:index:Environment", name, {}, options);
    const child = { parent: this };
    const authority = new Authority("authority", { environment: name, machines: layout.machines, contextFile: layout.context }, child);
    const { environmentId, caCert, adminToken } = authority;

    const wanted = wantedMachines(settings);
    const mastersName = mastersMachine(wanted, settings).name;
    const endpoint = masterEndpoint(mastersMachine(wanted, settings), settings);
    const machines = wanted.map((machine) =>
      machineResource(machine, { environmentId, layout, endpoint, isCarrier: machine.name === mastersName }, child),
    );
    const carrier = machines.find(({ isCarrier }) => isCarrier) as (typeof machines)[number];
    const changing = { ...child, dependsOn: lookedAt(machines, child) };

    const master = new Master(
      "master",
      {
        machine: carrier.machine,
        problem: carrier.problem,
        advertise: endpoint?.origin,
        environment: name,
        environmentId,
        caCert,
        intermediateCert: authority.intermediateCert,
        intermediateKey: authority.intermediateKey,
        adminToken,
        timers: settings.heartbeat,
        contextFile: layout.context,
      },
      changing,
    );
    const access = { environment: name, endpoint: master.endpoint, masterInstance: master.instance, caCert, adminToken };
    const { reserve } = settings.masters;
    const systems = systemReserves(wanted);
    const nodes = machines.map(({ name: machine, machine: at, problem, isCarrier }) => {
      const system = systems[machine];
      const kept = { ...(isCarrier ? { reserve } : {}), ...(system === undefined ? {} : { system }) };
      return new Node(`node-${machine}`, { ...access, environmentId, machine: at, problem, ...kept }, changing);
    });
    // A new node has the bundle at hand already; those that were there are moved to it here, and nowhere else.
    const rollout = new Rollout(
      "rollout",
      {
        ...access,
        environmentId,
        master: carrier.machine,
        nodes: machines.map(({ machine, problem }) => ({ machine, problem })),
        strategy: settings.upgrade,
      },
      { ...child, dependsOn: nodes },
    );
    // The machines there are come first: what waits meanwhile is no reason to take more.
    const bursters = bursterOf(
      settings,
      { ...access, environmentId, machines: layout.machines, directory: layout.bursts, logs: layout.logs },
      { ...child, dependsOn: [...nodes, rollout] },
    );
    const guard = new PoolGuard(
      "pool-guard",
      {
        ...access,
        machines: machines.map(({ machine }) => machine),
        reserve,
        systems,
        burstDirectory: layout.bursts,
        logDirectory: layout.logs,
      },
      { ...child, dependsOn: [...nodes, rollout, ...bursters] },
    );

    this.masterUrl = master.endpoint;
    this.ca = caCert;
    this.pool = pulumi
      .all([guard.nodes, guard.cpu, guard.memory, guard.hourly])
      .apply(([count, cpuMillicores, memoryMiB, hourly]) => ({ nodes: count, cpuMillicores, memoryMiB, hourly }));
    this.leftOut = pulumi
      .all(machines.flatMap(({ problem }) => problem ?? []))
      .apply((problems) => problems.filter((problem) => problem !== undefined));
    this.registerOutputs({ masterUrl: this.masterUrl, ca: this.ca, pool: this.pool });
  }
}

/** None in an environment that does not burst. */
function bursterOf(
  { burst }: EnvironmentSettings,
  surroundings: Omit<BursterArgs, "policy" | "pools" | "sweep">,
  options: pulumi.CustomResourceOptions,
): Burster[] {
  return burst === undefined ? [] : [new Burster("burster", { ...surroundings, ...burst }, options)];
}

/** What must be done before the first machine is changed: every host is looked at, and those that may stop it are fine. */
function lookedAt(machines: readonly MachineResource[], options: pulumi.CustomResourceOptions): pulumi.Resource[] {
  const resources = machines.map(({ resource }) => resource);
  const hosts = machines.flatMap(({ name, problem, onFailure }) =>
    problem === undefined || onFailure === "continue" ? [] : [{ name, problem }],
  );
  return hosts.length === 0 ? resources : [...resources, new Preflight("preflight", { hosts }, options)];
}
