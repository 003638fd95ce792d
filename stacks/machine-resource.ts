/** The Pulumi resource of a machine, by its provider: of one that the settings want, or of one that a burst takes. */
import { join } from "node:path";
import * as pulumi from "@pulumi/pulumi";
import type { Machine } from "../agent/contract/machine.ts";
import type { Resources } from "../agent/contract/resources.ts";
import { instanceArch } from "../providers/instance-arch.ts";
import { LocalMachine } from "../providers/local/local-machine.ts";
import { placeOfOffer } from "../providers/offers.ts";
import type { InventoryHost } from "../providers/ssh/inventory.ts";
import type { JumpEntry } from "../providers/ssh/jump-chain.ts";
import { jumpChain } from "../providers/ssh/jump-chain.ts";
import { SshMachine } from "../providers/ssh/ssh-machine.ts";
import type { BurstPool } from "./burst-settings.ts";
import { type ChosenTypes, wantedArch } from "./chosen-types.ts";
import { type MadeNetworks, networkKey } from "./cloud-networks.ts";
import { cloudHourly, machineShare } from "./cloud-price.ts";
import { cloudMachineResource, type SelfJoining } from "./cloud-resource.ts";
import type { AwsPool, AzurePool, CloudBurstPool } from "./cloud-settings.ts";
import type { CloudName, Clouds, FoundMachines } from "./clouds.ts";
import type { StateLayout } from "./state-layout.ts";
import { isCloudMachine, type WantedCloudMachine, type WantedMachine, waysOf } from "./wanted-machines.ts";

export interface Surroundings {
  readonly environmentId: pulumi.Output<string>;
  readonly layout: StateLayout;
  /** Of the master; undefined for one that chooses a free port. */
  readonly endpoint: URL | undefined;
  /** Whether the master will run on it. */
  readonly isCarrier: boolean;
  readonly clouds: Clouds;
  readonly networks: MadeNetworks;
  readonly chosen: ChosenTypes;
  readonly found: FoundMachines;
  /** For machines that join by themselves: they come after the master. */
  readonly selfJoin?: SelfJoining;
  /** Jump hosts by name. */
  readonly jumps: Readonly<Record<string, JumpEntry>>;
}

export interface MadeMachine {
  readonly resource: pulumi.Resource;
  readonly machine: pulumi.Output<Machine>;
  /** A cloud's: by which machines of its own network reach it. */
  readonly privateHost?: pulumi.Output<string>;
  /** Why it can't be used, as last looked at; a machine that we make has no such thing: it is made, or that fails. */
  readonly problem?: pulumi.Output<string | undefined>;
}

export interface MachineResource extends MadeMachine {
  readonly name: string;
  readonly isCarrier: boolean;
  /** What its problem means for the others. */
  readonly onFailure: "stop" | "continue";
}

export function machineResource(wanted: WantedMachine, surroundings: Surroundings, options: pulumi.CustomResourceOptions): MachineResource {
  const { name, pool } = wanted;
  const { environmentId, layout, endpoint, isCarrier } = surroundings;
  if (isCloudMachine(wanted)) return { name, isCarrier, onFailure: "stop", ...poolMachine(wanted, surroundings, options) };
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

/** A cloud's machine of a node pool. */
function poolMachine(
  wanted: WantedCloudMachine,
  { environmentId, isCarrier, clouds, networks, chosen, jumps, found, selfJoin }: Surroundings,
  options: pulumi.CustomResourceOptions,
): MadeMachine {
  const { name, pool, index, provider: cloud, settings } = wanted;
  const { region, zones, market, image, diskGiB, address, credential, authorizedKeys, jump, bootTimeoutMs, labels } = settings;
  const zone = zones.length === 0 ? undefined : zones[index % zones.length];
  const network = settings.network ?? networks.get(networkKey(cloud, region));
  if (network === undefined) throw new Error(`bug: no network was made for ${cloud} ${region}`);
  const foundId = found[name];
  const { hourly, ...type } = typeOf(pool, cloud, settings, zone, chosen);
  return cloudMachineResource(
    {
      cloud,
      identity: { environment: pulumi.getStack(), environmentId, pool, name },
      spec: {
        region,
        ...(zone === undefined ? {} : { zone }),
        ...type,
        market,
        image,
        diskGiB,
        address: isCarrier && address === "public" ? "fixed" : address,
      },
      network,
      credential,
      authorizedKeys,
      jump: jump === undefined ? undefined : jumpChain(jump, jumps),
      selfJoin: settings.join === "cloud-init" ? selfJoin : undefined,
      bootTimeoutMs,
      labels,
      hourly,
      ...(foundId === undefined ? {} : { found: foundId }),
    },
    clouds,
    options,
  );
}

/** The type of a node pool's machine, and what one costs there, in USD/hour. */
function typeOf(pool: string, cloud: CloudName, settings: AwsPool | AzurePool, zone: string | undefined, chosen: ChosenTypes) {
  const { region, instanceType: named, types, market, diskGiB, address } = settings;
  const hourlyAs = (instanceType: string) => cloudHourly(cloud, { region, zone, instanceType, market, diskGiB, address });
  if (named !== undefined) return { instanceType: named, arch: instanceArch(cloud, named), hourly: hourlyAs(named) };
  const choice = chosen[pool];
  if (types === undefined || choice === undefined) throw new Error(`bug: no type was chosen for ${pool}`);
  const { instanceType } = choice;
  // On a computer that does not know what the cloud sells, the price of when it was chosen.
  const hourly = pulumi.all([instanceType, choice.hourly]).apply(([type, then]) => hourlyAs(type) ?? then);
  return { instanceType, arch: wantedArch(types), mayBeBareMetal: types.bareMetal, hourly };
}

export interface BurstMachine {
  /** Id of its node, and its name. */
  readonly node: string;
  readonly burst: string;
  readonly poolName: string;
  readonly pool: BurstPool;
  /** What was bought. */
  readonly offer: string;
  /** USD/hour of one machine, all in all. */
  readonly hourly: number;
  /** What tasks may use of it. */
  readonly shape: Resources;
  readonly clouds: Clouds;
  readonly environment: string;
  readonly environmentId: string;
  /** Directory of the environment's local machines. */
  readonly machines: string;
  /** The master's https URL. */
  readonly endpoint: string;
  /** For a machine that joins by itself. */
  readonly selfJoin: SelfJoining;
}

/** The machine of a burst's node. Throws a plain Error for a host that is not in the pool (any more). */
export function burstMachine(wanted: BurstMachine, options: pulumi.CustomResourceOptions = {}): MadeMachine {
  const { node: name, burst, poolName, pool, environment, environmentId, machines, endpoint } = wanted;
  if (pool.provider === "aws" || pool.provider === "azure") return boughtMachine(pool, wanted, options);
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
  const chosen = hostOfOffer(wanted.offer);
  const host = pool.hosts.find((one) => one.name === chosen);
  if (host === undefined) throw new Error(`the burst pool ${poolName} has no host ${chosen} (any more)`);
  return hostResource(
    host,
    { environmentId, environment, name, pool: poolName, burst, capacity, ...waysOf(new URL(endpoint), false) },
    options,
  );
}

/** A cloud's machine of a burst. */
function boughtMachine(
  pool: CloudBurstPool,
  { node, burst, poolName, environment, environmentId, offer, hourly, shape, clouds, selfJoin }: BurstMachine,
  options: pulumi.CustomResourceOptions,
): MadeMachine {
  const { region, zone, instanceType, market } = placeOfOffer(offer);
  const { provider: cloud, image, diskGiB, address, credential, authorizedKeys, jump, labels, launchTimeoutMs } = pool;
  const network = pool.networks[region];
  if (network === undefined) throw new Error(`the burst pool ${poolName} has no network in ${region} (any more)`);
  return cloudMachineResource(
    {
      cloud,
      identity: { environment, environmentId, pool: poolName, name: node, burst },
      spec: {
        region,
        ...(zone === "" ? {} : { zone }),
        instanceType,
        arch: instanceArch(cloud, instanceType),
        market,
        // What was set aside for it is the most that it may cost.
        ...(market === "spot" ? { maxSpotPrice: machineShare(cloud, { region, diskGiB, address, hourly }) } : {}),
        image,
        diskGiB,
        address,
      },
      network,
      credential,
      authorizedKeys,
      jump,
      selfJoin: pool.join === "cloud-init" ? selfJoin : undefined,
      // As its agent would, and not before the launch itself has ended.
      unclaimedMs: selfJoin.deadManMs === undefined ? undefined : launchTimeoutMs + selfJoin.deadManMs,
      bootTimeoutMs: launchTimeoutMs,
      labels,
      hourly,
      capacity: shape,
    },
    clouds,
    options,
  );
}

/** The name of the host that an offer of a pool of hosts is. */
function hostOfOffer(offer: string): string {
  return offer.slice(offer.indexOf("/") + 1);
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
