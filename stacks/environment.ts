/** The component `Environment`: one pool of machines with its master. It only wires; every station does its own work. */
import * as pulumi from "@pulumi/pulumi";
import { addressOf } from "../agent/contract/endpoint.ts";
import type { Machine } from "../agent/contract/machine.ts";
import { Master } from "../bootstrap/master.ts";
import { Node } from "../bootstrap/node.ts";
import { Rollout } from "../bootstrap/rollout.ts";
import { Authority } from "./authority.ts";
import { usualSweep } from "./burst-settings.ts";
import { Burster, type BursterArgs } from "./burster.ts";
import { makeChoices } from "./chosen-types.ts";
import { type MadeNetworks, makeNetworks, prepareBursts, wantedNetworks, withNetworks } from "./cloud-networks.ts";
import type { Clouds, FoundMachines } from "./clouds.ts";
import { type MachineResource, machineResource } from "./machine-resource.ts";
import { PoolGuard } from "./pool-guard.ts";
import { Preflight } from "./preflight.ts";
import { namesNear, regionsNear } from "./same-network.ts";
import type { EnvironmentSettings } from "./settings.ts";
import type { StateLayout } from "./state-layout.ts";
import {
  defaultPort,
  isCloudMachine,
  joinsBySelf,
  masterEndpoint,
  mastersMachine,
  type PlannedSettings,
  systemReserves,
  tunnelledMachines,
  type WantedMachine,
  wantedMachines,
} from "./wanted-machines.ts";

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

  /** `clouds`: those that the settings name, loaded; `found`: their machines that are there already. */
  constructor(
    name: string,
    settings: PlannedSettings,
    layout: StateLayout,
    { clouds = {}, found = {} }: { readonly clouds?: Clouds; readonly found?: FoundMachines } = {},
    options?: pulumi.ComponentResourceOptions,
  ) {
    super("spillway:index:Environment", name, {}, options);
    const child = { parent: this };
    const authority = new Authority("authority", { environment: name, machines: layout.machines, contextFile: layout.context }, child);
    const { environmentId, caCert, adminToken } = authority;

    const wanted = wantedMachines(settings);
    const mastersWanted = mastersMachine(wanted, settings);
    const endpoint = masterEndpoint(mastersWanted, settings);
    const networks = makeNetworks(wantedNetworks(settings, defaultPort), { environment: name, environmentId, clouds }, child);
    prepareBursts(settings, networks, { environment: name, environmentId, clouds }, child);
    const chosen = makeChoices(settings, networks, child);
    const { jumps } = settings;
    const { reserve, identityAuthorities } = settings.masters;
    const surroundings = { environmentId, layout, endpoint, isCarrier: false, clouds, networks, chosen, found, jumps };
    const reached = wanted
      .filter((machine) => !joinsBySelf(machine))
      .map((machine) => machineResource(machine, { ...surroundings, isCarrier: machine.name === mastersWanted.name }, child));
    const carrier = reached.find(({ isCarrier }) => isCarrier) as MachineResource;
    const changing = { ...child, dependsOn: lookedAt(reached, child) };

    const advertise = advertised(mastersWanted, endpoint, carrier.machine);
    const inside = insideEndpoint(advertise, carrier.privateHost);

    const master = new Master(
      "master",
      {
        machine: carrier.machine,
        problem: carrier.problem,
        advertise,
        ...(inside === undefined ? {} : { alsoAt: [inside] }),
        ...(identityAuthorities === undefined ? {} : { identityAuthorities }),
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
    const systems = systemReserves(wanted);
    const tunnelled = new Set(tunnelledMachines(wanted, settings).map((machine) => machine.name));
    const near = namesNear(mastersWanted, wanted);
    const born = wanted.filter(joinsBySelf).map((machine) => {
      const selfJoin = { endpoint: master.endpoint, caCert, adminToken, dials: near.has(machine.name) ? inside : undefined };
      return machineResource(machine, { ...surroundings, selfJoin }, child);
    });
    const machines = [...reached, ...born];
    const nodes = machines.map(({ name: machine, machine: at, problem, isCarrier }) => {
      const system = systems[machine];
      const kept = { ...(isCarrier ? { reserve } : {}), ...(system === undefined ? {} : { system }) };
      const reach = tunnelled.has(machine) ? { reach: "reverse" as const } : {};
      const dials = inside === undefined || !near.has(machine) ? {} : { dials: inside };
      return new Node(`node-${machine}`, { ...access, environmentId, machine: at, problem, ...kept, ...reach, ...dials }, changing);
    });
    // A new node has the bundle at hand already; those that were there are moved to it here, and nowhere else.
    const rollout = new Rollout(
      "rollout",
      {
        ...access,
        environmentId,
        master: carrier.machine,
        // One that nobody connects to is replaced where another is upgraded.
        nodes: reached.map(({ machine, problem }) => ({ machine, problem })),
        strategy: settings.upgrade,
      },
      { ...child, dependsOn: nodes },
    );
    // The machines there are come first: what waits meanwhile is no reason to take more.
    const bursters = bursterOf(
      settings,
      networks,
      {
        ...access,
        environmentId,
        machines: layout.machines,
        directory: layout.bursts,
        logs: layout.logs,
        ...nearbyOf(inside, regionsNear(mastersWanted, settings.burst?.pools ?? {})),
        ...(settings.masters.reach === "reverse"
          ? { reach: "reverse", tunnels: machines.filter((one) => tunnelled.has(one.name)).map(({ machine }) => machine) }
          : {}),
      },
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

/** None in an environment that neither bursts nor needs anyone to hold tunnels. */
function bursterOf(
  { burst, masters }: EnvironmentSettings,
  networks: MadeNetworks,
  surroundings: Omit<BursterArgs, "policy" | "pools" | "sweep">,
  options: pulumi.CustomResourceOptions,
): Burster[] {
  if (burst === undefined)
    return masters.reach === "direct" ? [] : [new Burster("burster", { ...surroundings, pools: {}, sweep: usualSweep }, options)];
  return [new Burster("burster", { ...surroundings, ...burst, pools: withNetworks(burst.pools, networks) }, options)];
}

/** The origin of the master's URL; a cloud names the address of its own machine only when it has made it. */
function advertised(carrier: WantedMachine, endpoint: URL | undefined, machine: pulumi.Output<Machine>): pulumi.Input<string | undefined> {
  if (endpoint !== undefined || !isCloudMachine(carrier)) return endpoint?.origin;
  return machine.apply(({ host }) => `https://${host}:${defaultPort}`);
}

/**
 * How machines of its own network dial a master in a cloud. From a public address they would come as strangers: a rule that lets
 * in the members of a security group means their private addresses (EC2 User Guide, "Security group rules").
 */
function insideEndpoint(
  advertise: pulumi.Input<string | undefined>,
  privateHost: pulumi.Output<string> | undefined,
): pulumi.Output<string> | undefined {
  if (privateHost === undefined) return undefined;
  return pulumi
    .all([advertise, privateHost])
    .apply(([url, host]) => `https://${host}:${url === undefined ? defaultPort : addressOf(url).port}`);
}

function nearbyOf(endpoint: pulumi.Output<string> | undefined, regions: Record<string, string[]>): Pick<BursterArgs, "nearby"> {
  return endpoint === undefined || Object.keys(regions).length === 0 ? {} : { nearby: { endpoint, regions } };
}

/** What must be done before the first machine is changed: every host is looked at, and those that may stop it are fine. */
function lookedAt(machines: readonly MachineResource[], options: pulumi.CustomResourceOptions): pulumi.Resource[] {
  const resources = machines.map(({ resource }) => resource);
  const hosts = machines.flatMap(({ name, problem, onFailure }) =>
    problem === undefined || onFailure === "continue" ? [] : [{ name, problem }],
  );
  return hosts.length === 0 ? resources : [...resources, new Preflight("preflight", { hosts }, options)];
}
