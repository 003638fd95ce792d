/**
 * What a PUT makes at Azure, and what it refuses: "create or update" of resource groups, networks, security groups, addresses,
 * gateways, interfaces, roles and their assignments (Microsoft's REST reference of each). A PUT is the whole of a thing; done
 * twice with the same name, it is the same thing.
 */
import { randomUUID } from "node:crypto";
import { putMachine } from "./put-machine.ts";
import { type Asked, type Body, checkReferences, idIn, type Put, type PutWorld, put } from "./put-request.ts";
import {
  ArmRefusal,
  addressType,
  assignmentType,
  cardType,
  gatewayType,
  groupType,
  idParts,
  machineType,
  networkType,
  roleType,
  securityType,
} from "./resources.ts";

type Bag = Record<string, unknown>;

/** Undefined for a type that the double doesn't know. */
export function putResource(id: string, body: Body, world: PutWorld): Put | undefined {
  const subnet = /^(.+\/virtualNetworks\/[^/]+)\/subnets\/([^/]+)$/i.exec(id);
  if (subnet?.[1] !== undefined) return putSubnet(subnet[1], subnet[2] ?? "", body, world);
  const type = idParts(id)?.type.toLowerCase();
  const kind = Object.entries(kinds).find(([name]) => name.toLowerCase() === type)?.[1];
  if (kind === undefined) return undefined;
  const { resources } = world;
  const group = resources.find(id.replace(/\/providers\/.*$/, ""));
  if (type !== groupType.toLowerCase() && /\/resourceGroups\//i.test(id)) {
    if (group === undefined) resources.get(id);
    if (group?.isDeleting === true)
      throw new ArmRefusal(
        409,
        "ResourceGroupBeingDeleted",
        `The resource group '${group.name}' is in deprovisioning state and cannot perform this operation.`,
      );
  }
  const before = resources.find(id);
  if (before !== undefined && before.location !== body.location && body.location !== undefined)
    throw new ArmRefusal(
      409,
      "InvalidResourceLocation",
      `The resource '${before.name}' already exists in location '${before.location}'. A resource with the same name cannot be created in location '${body.location}'. Please select a new resource name.`,
    );
  return kind({ id, body, before, world });
}

const kinds: Readonly<Record<string, (asked: Asked) => Put>> = {
  [groupType]: (asked) => put(asked, asked.body.properties ?? {}, { isLong: false }),
  [securityType]: (asked) => {
    const rules = (asked.body.properties?.securityRules ?? []) as (Bag & { name: string })[];
    return put(asked, { ...asked.body.properties, ...inParts(asked.id, "securityRules", rules) });
  },
  [networkType]: (asked) => {
    const subnets = (asked.body.properties?.subnets ?? []) as (Bag & { name: string })[];
    checkSubnetsGone(
      asked,
      subnets.map(({ name }) => name),
    );
    for (const { properties } of subnets)
      checkReferences(asked, [idIn(properties, "networkSecurityGroup"), idIn(properties, "natGateway")]);
    return put(asked, { ...asked.body.properties, ...inParts(asked.id, "subnets", subnets) });
  },
  [addressType]: (asked) => {
    const { sku } = asked.body;
    // Announced for 30 September 2025: "Upgrading a Basic public IP address to Standard SKU".
    if (sku?.name !== "Standard")
      throw new ArmRefusal(
        400,
        "IPv4BasicSkuPublicIpCountLimitReached",
        "Cannot create more than 0 IPv4 Basic SKU public IP addresses for this subscription in this region.",
      );
    const ipAddress = asked.before?.properties?.ipAddress ?? asked.world.machines.publicAddress(asked.body.location);
    return put(asked, { idleTimeoutInMinutes: 4, publicIPAddressVersion: "IPv4", ...asked.body.properties, ipAddress });
  },
  [gatewayType]: (asked) => {
    const addresses = (asked.body.properties?.publicIpAddresses ?? []) as { id: string }[];
    checkReferences(
      asked,
      addresses.map(({ id }) => id),
    );
    return put(asked, { idleTimeoutInMinutes: 4, ...asked.body.properties });
  },
  [cardType]: putCard,
  [machineType]: putMachine,
  [roleType]: (asked) => put(asked, asked.body.properties ?? {}, { isLong: false }),
  [assignmentType]: (asked) => {
    const { roleDefinitionId } = (asked.body.properties ?? {}) as { roleDefinitionId?: string };
    if (roleDefinitionId === undefined || asked.world.resources.find(roleDefinitionId) === undefined)
      throw new ArmRefusal(
        400,
        "RoleDefinitionDoesNotExist",
        `The specified role definition with ID '${roleDefinitionId?.split("/").at(-1)}' does not exist.`,
      );
    if (asked.before !== undefined) throw new ArmRefusal(409, "RoleAssignmentExists", "The role assignment already exists.");
    const scope = asked.id.replace(/\/providers\/Microsoft\.Authorization\/.*$/i, "");
    return put(asked, { ...asked.body.properties, scope }, { isLong: false });
  },
};

/** Azure keeps what a subnet of its own PUT says in its network. */
function putSubnet(networkId: string, name: string, body: Body, { resources }: PutWorld): Put {
  const network = resources.get(networkId);
  const subnets = (network.properties?.subnets ?? []) as { name: string }[];
  const others = subnets.filter((one) => one.name !== name);
  const subnet = { id: `${network.id}/subnets/${name}`, name, properties: { ...body.properties, provisioningState: "Succeeded" } };
  const held = resources.change(networkId, { properties: { ...network.properties, subnets: [...others, subnet] } });
  return { held, isNew: others.length === subnets.length, isLong: true };
}

function putCard(asked: Asked): Put {
  const { id, body, before, world } = asked;
  const { resources, machines } = world;
  const configurations = (body.properties?.ipConfigurations ?? []) as { name: string; properties?: Bag }[];
  const earlier = (before?.properties?.ipConfigurations ?? []) as { name: string; properties?: Bag }[];
  const made = configurations.map(({ name, properties = {} }) => {
    const [subnet, address] = [idIn(properties, "subnet"), idIn(properties, "publicIPAddress")];
    checkReferences(asked, [subnet, address]);
    const holder =
      address === undefined ? undefined : resources.holdersOf(address).find((other) => other.id.toLowerCase() !== id.toLowerCase());
    if (holder !== undefined)
      throw new ArmRefusal(
        400,
        "PublicIPAddressInUse",
        `Resource ${id}/ipConfigurations/${name} is referencing public IP address ${address} that is already allocated to resource ${holder.id}.`,
      );
    const privateIPAddress =
      earlier.find((one) => one.name === name)?.properties?.privateIPAddress ?? machines.privateAddress(body.location);
    return {
      id: `${id}/ipConfigurations/${name}`,
      name,
      properties: { privateIPAddressVersion: "IPv4", ...properties, privateIPAddress, provisioningState: "Succeeded" },
    };
  });
  checkReferences(asked, [idIn(body.properties, "networkSecurityGroup")]);
  const { virtualMachine, macAddress = mac(), resourceGuid = randomUUID() } = before?.properties ?? {};
  const properties = { enableAcceleratedNetworking: false, enableIPForwarding: false, ...body.properties, ipConfigurations: made };
  return put(asked, { ...properties, macAddress, resourceGuid, ...(virtualMachine === undefined ? {} : { virtualMachine }) });
}

/** Azure's own prefix of them is Microsoft's. */
function mac(): string {
  return `00-22-48-${randomUUID()
    .slice(0, 6)
    .toUpperCase()
    .replaceAll(/(..)(..)(..)/g, "$1-$2-$3")}`;
}

/** What stands in a thing has an id of its own. */
function inParts(id: string, name: string, parts: readonly (Bag & { name: string })[]): Bag {
  const shown = parts.map((part) => {
    const properties = { ...(part.properties as Bag), provisioningState: "Succeeded" };
    return { ...part, id: `${id}/${name}/${part.name}`, properties };
  });
  return { [name]: shown };
}

function checkSubnetsGone({ before, world }: Asked, kept: readonly string[]): void {
  const gone = ((before?.properties?.subnets ?? []) as { id: string; name: string }[]).filter(({ name }) => !kept.includes(name));
  for (const { id, name } of gone) {
    const text = JSON.stringify(world.resources.all().filter(({ type }) => type === cardType)).toLowerCase();
    if (text.includes(`"${id.toLowerCase()}"`))
      throw new ArmRefusal(
        400,
        "InUseSubnetCannotBeDeleted",
        `Subnet ${name} is in use and cannot be deleted. In order to delete the subnet, delete all the resources within the subnet.`,
      );
  }
}
