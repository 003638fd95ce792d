/**
 * What the double of Azure Resource Manager holds: groups and the resources in them, with the rules by which one hangs on
 * another. Written from Microsoft's REST reference (Virtual Machines, Disks, Network Interfaces, Public IP Addresses, Resource
 * Groups), not from what Spillway does.
 */

export interface ArmResource {
  /** `/subscriptions/…/resourceGroups/…`, and for what is in a group `/providers/<namespace>/<type>/<name>`. */
  readonly id: string;
  readonly location: string;
  readonly tags?: Record<string, string>;
  readonly zones?: readonly string[];
  readonly managedBy?: string;
  readonly identity?: Record<string, unknown>;
  readonly properties?: Record<string, unknown>;
}

export type Power = "starting" | "running" | "stopping" | "stopped" | "deallocating" | "deallocated";

export interface Held extends ArmResource {
  readonly name: string;
  /** "Microsoft.Resources/resourceGroups" for a group. */
  readonly type: string;
  /** Lower case. */
  readonly group: string;
  power: Power;
  isDeleting: boolean;
}

/** An answer of Azure that is no success. */
export class ArmRefusal extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export const groupType = "Microsoft.Resources/resourceGroups";
export const machineType = "Microsoft.Compute/virtualMachines";
const cardType = "Microsoft.Network/networkInterfaces";
const addressType = "Microsoft.Network/publicIPAddresses";
const diskType = "Microsoft.Compute/disks";

export class ArmResources {
  readonly #held = new Map<string, Held>();

  /** As a PUT does: what was there under that id is no more. */
  put(resource: ArmResource): void {
    const match = /^\/subscriptions\/[^/]+\/resourceGroups\/([^/]+)(?:\/providers\/([^/]+\/[^/]+)\/([^/]+))?$/i.exec(resource.id);
    if (match?.[1] === undefined) throw new Error(`${resource.id} is no id of a group or of a resource in one`);
    const [, group, type = groupType, name = group] = match;
    if (type !== groupType && this.find(resource.id.replace(/\/providers\/.*$/, "")) === undefined)
      throw new Error(`put the group of ${resource.id} first`);
    this.#held.set(resource.id.toLowerCase(), {
      ...resource,
      name,
      type,
      group: group.toLowerCase(),
      power: "running",
      isDeleting: false,
    });
  }

  find(id: string): Held | undefined {
    return this.#held.get(id.toLowerCase());
  }

  get(id: string): Held {
    const found = this.find(id);
    if (found !== undefined) return found;
    const group = id.replace(/\/providers\/.*$/, "");
    if (this.find(group) === undefined)
      throw new ArmRefusal(404, "ResourceGroupNotFound", `Resource group '${group.split("/").at(-1)}' could not be found.`);
    throw new ArmRefusal(404, "ResourceNotFound", `The Resource '${id.replace(/^.*\/providers\//, "")}' was not found.`);
  }

  all(): Held[] {
    return [...this.#held.values()];
  }

  ids(): string[] {
    return this.all().map(({ id }) => id);
  }

  /** Throws what Azure says to the deletion of what is still held by something else. */
  checkDeletable({ id, type }: Held): void {
    const holder = this.all().find((other) => referencesOf(other).includes(id.toLowerCase()));
    if (holder === undefined) return;
    if (type === cardType && holder.type === machineType)
      throw new ArmRefusal(400, "NicInUse", `Network Interface ${id} is used by existing resource ${holder.id}.`);
    if (type === addressType && holder.type === cardType)
      throw new ArmRefusal(
        400,
        "PublicIPAddressCannotBeDeleted",
        `Public IP address ${id} can not be deleted since it is still allocated.`,
      );
    if (type === diskType && holder.type === machineType)
      throw new ArmRefusal(409, "OperationNotAllowed", `Disk ${id} is attached to VM ${holder.id}.`);
  }

  /** Takes it away, with what goes with it: all of a group, and of a machine whatever has `deleteOption: Delete`. */
  remove(id: string): void {
    const resource = this.find(id);
    if (resource === undefined) return;
    this.#held.delete(id.toLowerCase());
    if (resource.type === groupType)
      for (const inside of this.all()) if (inside.group === resource.group) this.#held.delete(inside.id.toLowerCase());
    if (resource.type !== machineType) return;
    for (const { id: disk, goes } of disksOf(resource)) if (goes) this.#held.delete(disk);
    for (const { id: card, goes } of cardsOf(resource)) {
      const held = this.find(card);
      if (held === undefined || !goes) continue;
      const addresses = addressesOf(held);
      this.#held.delete(card);
      for (const address of addresses) if (this.find(address)?.properties?.deleteOption === "Delete") this.#held.delete(address);
    }
  }
}

interface Part {
  readonly id: string;
  readonly goes: boolean;
}

interface MachineProperties {
  readonly storageProfile?: { readonly osDisk?: { readonly deleteOption?: string; readonly managedDisk?: { readonly id?: string } } };
  readonly networkProfile?: {
    readonly networkInterfaces?: readonly { readonly id: string; readonly properties?: { readonly deleteOption?: string } }[];
  };
}

function disksOf({ properties }: Held): Part[] {
  const disk = (properties as MachineProperties | undefined)?.storageProfile?.osDisk;
  const id = disk?.managedDisk?.id;
  return id === undefined ? [] : [{ id: id.toLowerCase(), goes: disk?.deleteOption === "Delete" }];
}

function cardsOf({ properties }: Held): Part[] {
  const cards = (properties as MachineProperties | undefined)?.networkProfile?.networkInterfaces ?? [];
  return cards.map((card) => ({ id: card.id.toLowerCase(), goes: card.properties?.deleteOption === "Delete" }));
}

function addressesOf({ properties }: Held): string[] {
  const { ipConfigurations = [] } = (properties ?? {}) as {
    ipConfigurations?: { properties?: { publicIPAddress?: { id: string } } }[];
  };
  return ipConfigurations.flatMap((one) =>
    one.properties?.publicIPAddress === undefined ? [] : [one.properties.publicIPAddress.id.toLowerCase()],
  );
}

function referencesOf(resource: Held): string[] {
  if (resource.type === machineType) return [...disksOf(resource), ...cardsOf(resource)].map(({ id }) => id);
  return resource.type === cardType ? addressesOf(resource) : [];
}
