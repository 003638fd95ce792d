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
  readonly sku?: Record<string, unknown>;
  readonly properties?: Record<string, unknown>;
}

export type Power = "starting" | "running" | "stopping" | "stopped" | "deallocating" | "deallocated";

export interface Held extends ArmResource {
  readonly name: string;
  /** "Microsoft.Resources/resourceGroups" for a group. */
  readonly type: string;
  /** Lower case; empty for what is in no group. */
  readonly group: string;
  power: Power;
  isDeleting: boolean;
  /** While it is being made, or when that has come to nothing: Azure keeps such a thing. */
  state?: "Creating" | "Failed";
}

export interface ArmAnswer {
  readonly status: number;
  readonly body?: object;
  readonly headers?: Record<string, string>;
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
export const cardType = "Microsoft.Network/networkInterfaces";
export const addressType = "Microsoft.Network/publicIPAddresses";
export const diskType = "Microsoft.Compute/disks";
export const networkType = "Microsoft.Network/virtualNetworks";
export const securityType = "Microsoft.Network/networkSecurityGroups";
export const gatewayType = "Microsoft.Network/natGateways";
export const roleType = "Microsoft.Authorization/roleDefinitions";
export const assignmentType = "Microsoft.Authorization/roleAssignments";

/** What a resource's id says: of a group, of what is in one, or of a role, which belongs to the subscription. */
const idForms = [
  /^\/subscriptions\/[^/]+\/resourceGroups\/(?<group>[^/]+)(?:\/providers\/(?<type>[^/]+\/[^/]+)\/(?<name>[^/]+))?$/i,
  /^\/subscriptions\/[^/]+\/providers\/(?<type>Microsoft\.Authorization\/[^/]+)\/(?<name>[^/]+)$/i,
];

export function idParts(id: string): { group: string; type: string; name: string } | undefined {
  const found = idForms.map((form) => form.exec(id)?.groups).find((groups) => groups !== undefined);
  if (found === undefined) return undefined;
  const { group = "", type = groupType, name = group } = found;
  return { group, type, name };
}

/** Whether it stands in lists of resources: roles and their assignments have lists of their own. */
export function isListed({ type }: Held): boolean {
  return type !== groupType && !type.startsWith("Microsoft.Authorization/");
}

export class ArmResources {
  readonly #held = new Map<string, Held>();

  /** As a PUT does: what was there under that id is no more. */
  put(resource: ArmResource): Held {
    const parts = idParts(resource.id);
    if (parts === undefined) throw new Error(`${resource.id} is no id of a group or of a resource in one`);
    const { group, type, name } = parts;
    if (type !== groupType && group !== "" && this.find(resource.id.replace(/\/providers\/.*$/, "")) === undefined)
      throw new Error(`put the group of ${resource.id} first`);
    const held: Held = { ...resource, name, type, group: group.toLowerCase(), power: "running", isDeleting: false };
    this.#held.set(resource.id.toLowerCase(), held);
    return held;
  }

  /** Changes what is there. */
  change(id: string, to: Partial<Omit<Held, "id" | "name" | "type" | "group">>): Held {
    return Object.assign(this.get(id), to);
  }

  find(id: string): Held | undefined {
    return this.#held.get(id.toLowerCase());
  }

  get(id: string): Held {
    const found = this.find(id);
    if (found !== undefined) return found;
    if (idParts(id)?.group === "")
      throw new ArmRefusal(
        404,
        "RoleDefinitionDoesNotExist",
        `The specified role definition with ID '${id.split("/").at(-1)}' does not exist.`,
      );
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

  /** Whatever says that it needs it. */
  holdersOf(id: string): Held[] {
    return this.all().filter((other) => referencesOf(other).includes(id.toLowerCase()));
  }

  /** Throws what Azure says to the deletion of what is still held by something else; forms of the codes: "… is in use by …". */
  checkDeletable({ id, type }: Held): void {
    const holder = this.holdersOf(id)[0];
    if (holder === undefined) return;
    if (type === cardType && holder.type === machineType)
      throw new ArmRefusal(400, "NicInUse", `Network Interface ${id} is used by existing resource ${holder.id}.`);
    if (type === addressType)
      throw new ArmRefusal(
        400,
        "PublicIPAddressCannotBeDeleted",
        // In the words of pulumi/pulumi-azure-native#1288.
        `Public IP address ${id} can not be deleted since it is still allocated to resource ${holder.id}. In order to delete the public IP, disassociate/detach the Public IP address from the resource.  To learn how to do this, see aka.ms/deletepublicip.`,
      );
    if (type === diskType && holder.type === machineType)
      throw new ArmRefusal(409, "OperationNotAllowed", `Disk ${id} is attached to VM ${holder.id}.`);
    if (type === networkType)
      throw new ArmRefusal(400, "InUseSubnetCannotBeDeleted", `A subnet of ${id} is in use by ${holder.id} and cannot be deleted.`);
    if (type === securityType)
      throw new ArmRefusal(
        400,
        "InUseNetworkSecurityGroupCannotBeDeleted",
        `Network security group ${id} cannot be deleted because it is in use by the following resources: ${holder.id}.`,
      );
    if (type === gatewayType) throw new ArmRefusal(400, "InUseResourceCannotBeDeleted", `${id} is in use by ${holder.id}.`);
  }

  /** Takes it away, with what goes with it: all of a group, and of a machine whatever has `deleteOption: Delete`. */
  remove(id: string): void {
    const resource = this.find(id);
    if (resource === undefined) return;
    this.#held.delete(id.toLowerCase());
    if (resource.type === groupType)
      for (const inside of this.all()) if (inside.group === resource.group) this.#held.delete(inside.id.toLowerCase());
    if (resource.type !== machineType) return;
    for (const { id: disk, goes } of disksOf(resource)) {
      const held = this.find(disk);
      if (goes) this.#held.delete(disk);
      else if (held !== undefined) this.#held.set(disk, without(held, "managedBy"));
    }
    for (const { id: card, goes } of cardsOf(resource)) {
      const held = this.find(card);
      if (held === undefined) continue;
      if (!goes) {
        const { virtualMachine: _machine, ...properties } = held.properties ?? {};
        this.change(card, { properties });
        continue;
      }
      const addresses = addressesOf(held);
      this.#held.delete(card);
      for (const address of addresses) if (this.find(address)?.properties?.deleteOption === "Delete") this.#held.delete(address);
    }
  }
}

function without(held: Held, name: "managedBy"): Held {
  const { [name]: _gone, ...rest } = held;
  return rest;
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

export function cardsOf({ properties }: Held): Part[] {
  const cards = (properties as MachineProperties | undefined)?.networkProfile?.networkInterfaces ?? [];
  return cards.map((card) => ({ id: card.id.toLowerCase(), goes: card.properties?.deleteOption === "Delete" }));
}

export function addressesOf({ properties }: Held): string[] {
  const { ipConfigurations = [] } = (properties ?? {}) as {
    ipConfigurations?: { properties?: { publicIPAddress?: { id: string } } }[];
  };
  return ipConfigurations.flatMap((one) =>
    one.properties?.publicIPAddress === undefined ? [] : [one.properties.publicIPAddress.id.toLowerCase()],
  );
}

interface Named {
  readonly id: string;
}

interface SubnetProperties {
  readonly networkSecurityGroup?: Named;
  readonly natGateway?: Named;
}

/** Ids, in lower case, of what it needs; of a subnet, the network that it is in. */
function referencesOf(resource: Held): string[] {
  const properties = (resource.properties ?? {}) as {
    networkSecurityGroup?: Named;
    ipConfigurations?: readonly { properties?: { subnet?: Named } }[];
    subnets?: readonly { properties?: SubnetProperties }[];
    publicIpAddresses?: readonly Named[];
  };
  switch (resource.type) {
    case machineType:
      return [...disksOf(resource), ...cardsOf(resource)].map(({ id }) => id);
    case cardType: {
      const subnets = (properties.ipConfigurations ?? []).flatMap((one) => one.properties?.subnet ?? []);
      const others = [...subnets, ...(properties.networkSecurityGroup ? [properties.networkSecurityGroup] : [])];
      return [...addressesOf(resource), ...others.map(({ id }) => id.toLowerCase().replace(/\/subnets\/[^/]+$/, ""))];
    }
    case networkType:
      return (properties.subnets ?? [])
        .flatMap((one) => [one.properties?.networkSecurityGroup ?? [], one.properties?.natGateway ?? []].flat())
        .map(({ id }) => id.toLowerCase());
    case gatewayType:
      return (properties.publicIpAddresses ?? []).map(({ id }) => id.toLowerCase());
    default:
      return [];
  }
}
