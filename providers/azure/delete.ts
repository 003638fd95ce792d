/** The end of what there is at Azure: of a machine with all that hangs on it, and of a thing that no machine needs. */
import type { VirtualMachine } from "@azure/arm-compute";
import type { GenericResourceExpanded } from "@azure/arm-resources";
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { Machine } from "../../agent/contract/machine.ts";
import { tagNames } from "../cloud-machine.ts";
import type { ListedThing } from "../provider.ts";
import { isSameId, parseArmId } from "./arm-id.ts";
import { type AzureClients, azureClients } from "./client.ts";
import { all, ifThere, networkApi, pathOf } from "./list.ts";
import { type Operation, untilDone, untilSo } from "./patience.ts";

/**
 * Deletes a machine and waits until Azure says that it is gone. Of a burst whose group holds nothing but this machine the
 * whole group goes; else the machine goes, which takes its interface, disk and address along, and then whatever of them
 * is left: a fixed address is kept over a replacement only. Throws `cloud-timeout`, and Azure's own errors.
 */
export async function deleteMachine(machine: Machine, where: string): Promise<void> {
  const { subscription, resourceGroup, name } = parseArmId(machine.providerId);
  const clients = await azureClients(subscription);
  const { compute, resources, pollMs } = clients;
  const group = await ifThere(resources.resourceGroups.get(resourceGroup));
  // With its group all that was in it is gone.
  if (group === undefined) return;
  const known = await ifThere(compute.virtualMachines.get(resourceGroup, name));
  if (known !== undefined && isAnother(machine, known)) return;
  const inGroup = await all(resources.resources.listByResourceGroup(resourceGroup));
  const isBurstsGroup = machine.burst !== undefined && group.tags?.[tagNames.burst] === machine.burst;
  if (isBurstsGroup && inGroup.every((resource) => belongsTo(machine, resource))) {
    await deleteGroup(clients, resourceGroup, where);
    return;
  }
  // What is left of a machine that went otherwise is listed as a thing, by whose it is.
  if (known === undefined) return;
  // Nothing on it is waited for: what may end in order has been drained before.
  const options = { updateIntervalInMs: pollMs, forceDeletion: true };
  await gone(() => compute.virtualMachines.delete(resourceGroup, name, options), where);
  const isGone = async () => (await ifThere(compute.virtualMachines.get(resourceGroup, name))) === undefined;
  await untilSo(isGone, where, { firstPauseMs: pollMs });
  // A group that is its owner's may hold another environment's node of the same name.
  const environmentId = known.tags?.[tagNames.environmentId];
  const left = inGroup.filter(
    ({ id, tags }) => !isSameId(id ?? "", machine.providerId) && (tags?.[tagNames.environmentId] ?? environmentId) === environmentId,
  );
  // An address can't go before the interface that holds it.
  for (const type of ["Microsoft.Network/networkInterfaces", "Microsoft.Network/publicIPAddresses", "Microsoft.Compute/disks"])
    for (const resource of left)
      if (isSameId(resource.type ?? "", type) && belongsTo(machine, resource)) await deleteResource(clients, resource.id ?? "", where);
}

/**
 * Whether a machine has taken the place of the one that is meant: the id at Azure is made of names, and so the same. Told by the
 * UUID that Azure gives each machine, where it is known of the one that is meant.
 */
export function isAnother({ attributes }: Machine, { vmId }: Pick<VirtualMachine, "vmId">): boolean {
  return attributes.vmId !== undefined && vmId !== undefined && !isSameId(attributes.vmId, vmId);
}

/** By the node's tag; of what Azure made without tags by the machine that holds it, or is its parent. */
function belongsTo({ name, providerId }: Machine, { id = "", managedBy, tags = {} }: GenericResourceExpanded): boolean {
  if (isSameId(id, providerId) || id.toLowerCase().startsWith(`${providerId.toLowerCase()}/`)) return true;
  if (managedBy !== undefined && managedBy !== "") return isSameId(managedBy, providerId);
  return tags[tagNames.node] === name;
}

/**
 * Deletes a disk, an interface, an address, a network … or a group with all it holds. A group goes only while it bears the
 * environment's tag and no machine is in it: then Azure's list may be older than a machine, and it throws `thing-in-use`.
 */
export async function deleteAzureThing(thing: ListedThing, where: string): Promise<void> {
  const { subscription, resourceGroup } = parseArmId(thing.id);
  const clients = await azureClients(subscription);
  if (thing.kind !== "resource-group") {
    await deleteResource(clients, thing.id, where);
    return;
  }
  const group = await ifThere(clients.resources.resourceGroups.get(resourceGroup));
  if (group === undefined) return;
  const [machine] = await all(clients.compute.virtualMachines.list(resourceGroup));
  if (machine !== undefined || group.tags?.[tagNames.environmentId] !== thing.environmentId) {
    throw new SpillwayError(machine === undefined ? "the group is not of this environment" : `the machine ${machine.name} is in it`, {
      code: "thing-in-use",
      where,
      hint: "Nothing was deleted. spillway fsck shows whose it is.",
    });
  }
  await deleteGroup(clients, resourceGroup, where);
}

async function deleteResource({ compute, resources, pollMs }: AzureClients, id: string, where: string): Promise<void> {
  const { resourceGroup, type, name } = parseArmId(id);
  const options = { updateIntervalInMs: pollMs };
  await gone(
    () =>
      isSameId(type, "Microsoft.Compute/disks")
        ? compute.disks.delete(resourceGroup, name, options)
        : resources.resources.deleteById(pathOf(id), networkApi, options),
    where,
  );
}

async function deleteGroup({ resources, pollMs }: AzureClients, name: string, where: string): Promise<void> {
  await gone(() => resources.resourceGroups.delete(name, { updateIntervalInMs: pollMs }), where);
  const isGone = async () => (await ifThere(resources.resourceGroups.get(name))) === undefined;
  await untilSo(isGone, where, { firstPauseMs: pollMs });
}

/** What Azure does not find is gone already, also when it went in between. */
async function gone(begin: () => Operation, where: string): Promise<void> {
  await withCrashPoint("cloud.delete", () => ifThere(untilDone(begin(), where)));
}
