/** Which machines of clouds stand in one network, and so reach each other by their private addresses; pure. */
import type { BurstPool } from "./burst-settings.ts";
import type { CloudName, NetworkIds } from "./clouds.ts";
import { isCloudMachine, type WantedMachine } from "./wanted-machines.ts";

/** Where machines are put: the network of the user's own, or the one that is made for the region. */
export interface NetworkPlace {
  readonly cloud: CloudName;
  readonly region: string;
  readonly own?: NetworkIds | undefined;
}

/**
 * Of networks of the user's own as far as their ids tell: in AWS a subnet and a security group belong to one VPC each, in Azure
 * a subnet's id names its virtual network.
 */
export function isSameNetwork(one: NetworkPlace, other: NetworkPlace): boolean {
  if (one.cloud !== other.cloud || one.region !== other.region) return false;
  if (one.own === undefined || other.own === undefined) return one.own === other.own;
  return one.cloud === "aws" ? sharesVpc(one.own, other.own) : virtualNetworkOf(one.own) === virtualNetworkOf(other.own);
}

/** Names of the machines that stand in the same network as this one, itself among them; none for one that is in no cloud. */
export function namesNear(carrier: WantedMachine, machines: readonly WantedMachine[]): Set<string> {
  if (!isCloudMachine(carrier)) return new Set();
  const near = machines.filter((machine) => isCloudMachine(machine) && isSameNetwork(placeOf(machine), placeOf(carrier)));
  return new Set(near.map(({ name }) => name));
}

/** Regions of burst pools whose machines are put into the network of this one, by the pool's name; empty where there are none. */
export function regionsNear(carrier: WantedMachine, pools: Readonly<Record<string, BurstPool>>): Record<string, string[]> {
  if (!isCloudMachine(carrier)) return {};
  const near = Object.entries(pools).map(([name, pool]) => {
    const cloudRegions = pool.provider === "local" || pool.provider === "ssh" ? [] : placesOfBurst(pool);
    return [name, cloudRegions.filter((place) => isSameNetwork(place, placeOf(carrier))).map(({ region }) => region)] as const;
  });
  return Object.fromEntries(near.filter(([, regions]) => regions.length > 0));
}

/** Of a burst pool's machines, one for each region. */
export function placesOfBurst({
  provider: cloud,
  regions,
  networks,
}: {
  readonly provider: CloudName;
  readonly regions: readonly string[];
  readonly networks: Readonly<Record<string, NetworkIds>>;
}): NetworkPlace[] {
  return regions.map((region) => ({ cloud, region, own: Object.hasOwn(networks, region) ? networks[region] : undefined }));
}

function placeOf({ provider: cloud, settings: { region, network } }: Extract<WantedMachine, { index: number }>): NetworkPlace {
  return { cloud, region, own: network };
}

function sharesVpc(one: NetworkIds, other: NetworkIds): boolean {
  const ids = ({ subnets = {}, securityGroups = [] }: NetworkIds) => [...Object.values(subnets), ...securityGroups];
  return ids(one).some((id) => ids(other).includes(id));
}

/** `/subscriptions/…/virtualNetworks/NAME` of `…/virtualNetworks/NAME/subnets/NAME`; ids of Azure know no case. */
function virtualNetworkOf({ subnet = "" }: NetworkIds): string {
  return subnet.toLowerCase().replace(/\/subnets\/[^/]*$/, "");
}
