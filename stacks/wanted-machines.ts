/** Which machines the settings ask for, and which of them carries the master; pure. */
import { addressOf } from "../agent/contract/endpoint.ts";
import type { SystemReserve } from "../agent/contract/resources.ts";
import { type InventoryHost, inventory } from "../providers/ssh/inventory.ts";
import type { AwsPool, AzurePool } from "./cloud-settings.ts";
import type { EnvironmentSettings } from "./settings.ts";

type LocalPool = Extract<EnvironmentSettings["pools"][string], { provider: "local" }>;
type SshPool = Extract<EnvironmentSettings["pools"][string], { provider: "ssh" }>;

/** A machine's name is its identity: another name is another machine. */
export type WantedMachine =
  | { readonly provider: "local"; readonly name: string; readonly pool: string; readonly settings: LocalPool }
  | { readonly provider: "ssh"; readonly name: string; readonly pool: string; readonly settings: SshPool; readonly host: InventoryHost }
  | WantedCloudMachine;

export type WantedCloudMachine = {
  readonly name: string;
  readonly pool: string;
  /** Its place in the pool, from 0: decides its zone. */
  readonly index: number;
} & ({ readonly provider: "aws"; readonly settings: AwsPool } | { readonly provider: "azure"; readonly settings: AzurePool });

/** Whether it is made in a cloud, which bills it. */
export function isCloudMachine(machine: WantedMachine): machine is WantedCloudMachine {
  return machine.provider === "aws" || machine.provider === "azure";
}

/** Those that reach the master by a tunnel: made in a cloud, where the settings want it so. */
export function tunnelledMachines(
  machines: readonly WantedMachine[],
  { masters }: Pick<EnvironmentSettings, "masters">,
): WantedCloudMachine[] {
  return masters.reach === "direct" ? [] : machines.filter(isCloudMachine);
}

/** Of a master on a host. */
export const defaultPort = 7070;

/** Whether nobody connects to it: it is born with what makes it a node, and so comes after the master. */
export function joinsBySelf(machine: WantedMachine): boolean {
  return isCloudMachine(machine) && machine.settings.join === "cloud-init";
}

/** The settings, and the machines of theirs that this run leaves out, by name. */
export type PlannedSettings = EnvironmentSettings & { readonly without?: readonly string[] };

/** Machines that are made are `<pool>-1` … `<pool>-<count>`, hosts bear names of their own; pools in the order of the settings. */
export function wantedMachines({ pools, jumps, without = [] }: Pick<PlannedSettings, "pools" | "jumps" | "without">): WantedMachine[] {
  const all = Object.entries(pools).flatMap(([pool, settings]): WantedMachine[] => {
    if (settings.provider === "ssh")
      return inventory(pool, settings, jumps).map((host) => ({ provider: "ssh", name: host.name, pool, settings, host }));
    return Array.from({ length: settings.count }, (_unused, index): WantedMachine => {
      const name = `${pool}-${index + 1}`;
      if (settings.provider === "local") return { provider: "local", name, pool, settings };
      return settings.provider === "aws"
        ? { provider: "aws", name, pool, index, settings }
        : { provider: "azure", name, pool, index, settings };
    });
  });
  return all.filter(({ name }) => !without.includes(name));
}

export interface SpareHost {
  readonly provider: "ssh";
  readonly name: string;
  /** The burst pool. */
  readonly pool: string;
  readonly host: InventoryHost;
}

/** The hosts that bursts may take, under their own names; a burst calls them by its nodes'. */
export function spareHosts({ burst }: Pick<EnvironmentSettings, "burst">): SpareHost[] {
  return Object.entries(burst?.pools ?? {}).flatMap(([pool, settings]) =>
    settings.provider === "ssh" ? settings.hosts.map((host) => ({ provider: "ssh" as const, name: host.name, pool, host })) : [],
  );
}

/** What hosts keep for their own systems, by name. Of machines with declared capacity nothing is kept. */
export function systemReserves(machines: readonly WantedMachine[]): Record<string, SystemReserve> {
  return Object.fromEntries(
    machines.flatMap((machine) => (machine.provider === "local" ? [] : [[machine.name, machine.settings.reserve]])),
  );
}

/** USD/hour of all of them, by the owner's own prices; what has none is free. */
export function hourlyPrice(machines: readonly WantedMachine[]): number {
  return machines.reduce((sum, machine) => sum + (machine.provider === "ssh" ? (machine.host.price?.hourly ?? 0) : 0), 0);
}

/** The first machine of the masters' pool. */
export function mastersMachine(machines: readonly WantedMachine[], settings: Pick<EnvironmentSettings, "masters">): WantedMachine {
  const carrier = machines.find(({ pool }) => pool === settings.masters.pool);
  if (carrier === undefined) throw new Error("bug: the settings were not checked for the masters' pool");
  return carrier;
}

/** Where the master is to be reached; undefined for one on this computer, which takes a free port, and for one whose cloud has yet to name its address. */
export function masterEndpoint(carrier: WantedMachine, settings: Pick<EnvironmentSettings, "masters">): URL | undefined {
  if (carrier.provider === "local") return undefined;
  if (carrier.provider !== "ssh") return settings.masters.endpoint === undefined ? undefined : new URL(settings.masters.endpoint);
  const { host } = carrier.host;
  const named = settings.masters.endpoint ?? `https://${host.includes(":") ? `[${host}]` : host}:${defaultPort}`;
  return new URL(named);
}

/** What a host must be able to do for the master's sake: carry it, or dial it. */
export function waysOf(endpoint: URL | undefined, isCarrier: boolean): { listenPort: number } | { dials: string } | Record<string, never> {
  if (endpoint === undefined) return {};
  return isCarrier ? { listenPort: addressOf(endpoint).port } : { dials: endpoint.origin };
}
