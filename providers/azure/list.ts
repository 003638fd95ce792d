/** What Azure has of an environment, asked by its tag and not by our records: machines, and what it bills or counts beside them. */
import type { VirtualMachine } from "@azure/arm-compute";
import type { GenericResourceExpanded, ResourceGroup } from "@azure/arm-resources";
import type { Machine } from "../../agent/contract/machine.ts";
import { tagNames } from "../cloud-machine.ts";
import { instanceArch } from "../instance-arch.ts";
import type { CloudScope, ListedMachine, ListedThing, Listing } from "../provider.ts";
import { cloudUser } from "../user-data.ts";
import { isSameId, machineId, parseArmId } from "./arm-id.ts";
import { type AzureClients, azureClients, currentSubscription } from "./client.ts";
import { hasNeverRun, powerOf } from "./power.ts";
import { isNotFound, withAzureErrors } from "./problem.ts";

/** That of the network's resources (2024-05-01), by which they are made, read and deleted one by one. */
export const networkApi = "2024-05-01";

/** USD/hour of a static public address, used or not ("Standard IPv4 Static Public IP" in Azure's price list, the same in most regions). */
const publicAddressHourly = 0.005;

/** Machines that are asked for their addresses at a time. */
const askedAtOnce = 16;

const kinds: Readonly<Record<string, ListedThing["kind"]>> = {
  "Microsoft.Compute/disks": "disk",
  "Microsoft.Network/networkInterfaces": "interface",
  "Microsoft.Network/publicIPAddresses": "address",
  "Microsoft.Network/networkSecurityGroups": "security-group",
  "Microsoft.Network/virtualNetworks": "network",
  "Microsoft.Network/natGateways": "network",
};

/**
 * Everything of the environment in one subscription, in whatever region it is. Azure gives no tags with what it finds by a
 * tag, so that resources are asked for by their type and told apart here; machines are read from Azure Compute itself, which
 * knows one from the moment it exists. Throws `cloud-…` when Azure can't be asked: what is missing would read as gone.
 */
export async function listAzure(environmentId: string, scope: CloudScope): Promise<Pick<Listing, "machines" | "things">> {
  const clients = await azureClients(scope.subscription ?? currentSubscription());
  return withAzureErrors(`Azure subscription ${clients.subscription}`, async () => {
    const filter = `tagName eq '${tagNames.environmentId}' and tagValue eq '${environmentId}'`;
    const [groups, machines, power, ...resources] = await Promise.all([
      all(clients.resources.resourceGroups.list({ filter })),
      all(clients.compute.virtualMachines.listAll()),
      all(clients.compute.virtualMachines.listAll({ statusOnly: "true" })),
      ...Object.keys(kinds).map((type) => all(clients.resources.resources.list({ filter: `resourceType eq '${type}'` }))),
    ]);
    const ours = machines.filter(({ tags }) => tags?.[tagNames.environmentId] === environmentId);
    const powerOfId = new Map(power.map((one) => [one.id?.toLowerCase(), one] as const));
    const listed: ListedMachine[] = [];
    for (let next = 0; next < ours.length; next += askedAtOnce) {
      const asked = ours.slice(next, next + askedAtOnce).map(async (vm): Promise<ListedMachine[]> => {
        const addresses = await addressesOf(clients, vm);
        return listedMachine(vm, powerOfId.get(vm.id?.toLowerCase()) ?? vm, addresses);
      });
      listed.push(...(await Promise.all(asked)).flat());
    }
    return { machines: listed, things: thingsOf({ environmentId, groups, machines: ours, resources: resources.flat() }) };
  });
}

interface Addresses {
  readonly open?: string;
  readonly inner?: string;
}

/** The machine as it can be listed; its host key Azure does not know. */
function listedMachine(vm: VirtualMachine, withPower: VirtualMachine, { open, inner }: Addresses): ListedMachine[] {
  const { id, name = "", tags = {}, location, zones, hardwareProfile, priority, timeCreated } = vm;
  const environmentId = tags[tagNames.environmentId];
  if (id === undefined || environmentId === undefined) return [];
  const burst = burstOf(tags);
  const instanceType = hardwareProfile?.vmSize ?? "";
  const machine: Machine = {
    name: tags[tagNames.node] ?? name,
    pool: tags[tagNames.pool] ?? "",
    provider: "azure",
    providerId: machineId(id),
    host: open ?? inner ?? "",
    port: 22,
    user: cloudUser,
    credential: { kind: "agent" },
    labels: {},
    attributes: {
      cloud: "azure",
      region: location,
      ...(zones?.[0] === undefined ? {} : { zone: zones[0] }),
      instanceType,
      market: priority === "Spot" || priority === "Low" ? "spot" : "on-demand",
      arch: instanceArch("azure", instanceType),
      ...(vm.vmId === undefined ? {} : { vmId: vm.vmId.toLowerCase() }),
    },
    ...burst,
  };
  const codes = (withPower.instanceView?.statuses ?? []).map(({ code }) => code);
  return [
    {
      machine,
      environmentId,
      status: powerOf(codes),
      ...(hasNeverRun(codes) ? { neverRan: true } : {}),
      ...burst,
      ...(timeCreated === undefined ? {} : { madeAt: timeCreated.getTime() }),
    },
  ];
}

interface Found {
  readonly environmentId: string;
  /** That bear the environment's tag. */
  readonly groups: readonly ResourceGroup[];
  /** That bear it. */
  readonly machines: readonly VirtualMachine[];
  /** Everyone's. */
  readonly resources: readonly GenericResourceExpanded[];
}

/**
 * The environment's among them. A disk that Azure makes with its machine takes the machine's tags then, and nobody promises
 * that: it is ours by the machine that holds it, and in a burst's group everything is. A group is told once no machine is in it.
 */
function thingsOf({ environmentId, groups, machines, resources }: Found): ListedThing[] {
  const groupOf = new Map(groups.map((group) => [group.name?.toLowerCase(), group] as const));
  const things = resources.flatMap((resource): ListedThing[] => {
    const { id, type, location: region = "", tags = {} } = resource;
    const kind = Object.entries(kinds).find(([known]) => isSameId(known, type ?? ""))?.[1];
    if (id === undefined || kind === undefined) return [];
    const holder = machines.find((vm) => holds(vm, resource));
    const group = groupOf.get(parseArmId(id).resourceGroup.toLowerCase());
    const owner = tags[tagNames.environmentId] ?? holder?.tags?.[tagNames.environmentId] ?? burstTags(group)[tagNames.environmentId];
    if (owner !== environmentId) return [];
    const burst = tags[tagNames.burst] ?? holder?.tags?.[tagNames.burst] ?? burstTags(group)[tagNames.burst];
    const of = holder?.id === undefined ? {} : { of: machineId(holder.id) };
    const hourly = kind === "address" ? { hourly: publicAddressHourly } : {};
    return [{ kind, id, provider: "azure", region, environmentId, ...(burst === undefined ? {} : { burst }), ...of, ...hourly }];
  });
  const inUse = new Set(machines.flatMap(({ id }) => (id === undefined ? [] : [parseArmId(id).resourceGroup.toLowerCase()])));
  const empty = groups.flatMap((group): ListedThing[] => {
    const { id, name = "", location: region, tags = {} } = group;
    if (id === undefined || inUse.has(name.toLowerCase())) return [];
    return [{ kind: "resource-group", id, provider: "azure", region, environmentId, ...burstOf(tags) }];
  });
  return [...things, ...empty];
}

function burstOf({ [tagNames.burst]: burst }: Record<string, string>): { burst?: string } {
  return burst === undefined ? {} : { burst };
}

function burstTags(group: ResourceGroup | undefined): Record<string, string | undefined> {
  const tags = group?.tags ?? {};
  return tags[tagNames.burst] === undefined ? {} : tags;
}

/** By what the machine or the disk says, and of an address by the node that both bear. */
function holds(vm: VirtualMachine, { id = "", managedBy, type, tags = {} }: GenericResourceExpanded): boolean {
  if (vm.id === undefined) return false;
  if (managedBy !== undefined && managedBy !== "") return isSameId(managedBy, vm.id);
  const named = [vm.storageProfile?.osDisk?.managedDisk?.id, ...(vm.networkProfile?.networkInterfaces ?? []).map((card) => card.id)];
  if (named.some((one) => one !== undefined && isSameId(one, id))) return true;
  if (!isSameId(type ?? "", "Microsoft.Network/publicIPAddresses")) return false;
  const isNear = isSameId(parseArmId(id).resourceGroup, parseArmId(vm.id).resourceGroup);
  return isNear && tags[tagNames.node] !== undefined && tags[tagNames.node] === vm.tags?.[tagNames.node];
}

/** Its first interface's. What is being deleted may have none any more. */
async function addressesOf({ resources }: AzureClients, vm: VirtualMachine): Promise<Addresses> {
  const cards = vm.networkProfile?.networkInterfaces ?? [];
  const card = cards.find(({ primary }) => primary === true) ?? cards[0];
  const found = card?.id === undefined ? undefined : await ifThere(resources.resources.getById(pathOf(card.id), networkApi));
  const properties = found?.properties as CardProperties | undefined;
  const { privateIPAddress: inner, publicIPAddress } = properties?.ipConfigurations?.[0]?.properties ?? {};
  const address =
    publicIPAddress?.id === undefined ? undefined : await ifThere(resources.resources.getById(pathOf(publicIPAddress.id), networkApi));
  const open = address?.properties?.ipAddress as string | undefined;
  return { ...(open === undefined ? {} : { open }), ...(inner === undefined ? {} : { inner }) };
}

interface CardProperties {
  readonly ipConfigurations?: readonly {
    readonly properties?: { readonly privateIPAddress?: string; readonly publicIPAddress?: { readonly id?: string } };
  }[];
}

/** An id as the SDK puts it into a URL: it writes the first slash itself. */
export function pathOf(id: string): string {
  return id.replace(/^\//, "");
}

/** Undefined for what Azure does not find. */
export async function ifThere<T>(asked: Promise<T>): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

export async function all<T>(pages: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = [];
  for await (const item of pages) items.push(item);
  return items;
}
