/** What a PUT of a virtual machine does at Azure: "Virtual Machines - Create Or Update" of its REST reference, version 2024-11-01. */
import { randomUUID } from "node:crypto";
import type { WantedMachine } from "./faults.ts";
import { type Asked, type Body, checkReferences, type Put, type PutWorld } from "./put-request.ts";
import { ArmRefusal, type ArmResources, cardType, type Held } from "./resources.ts";

type Bag = Record<string, unknown>;

interface Properties {
  readonly hardwareProfile?: { readonly vmSize?: string };
  readonly priority?: string;
  readonly storageProfile?: {
    readonly imageReference?: {
      readonly id?: string;
      readonly publisher?: string;
      readonly offer?: string;
      readonly sku?: string;
      readonly version?: string;
    };
    readonly osDisk?: Bag & { readonly name?: string; readonly managedDisk?: Bag };
  };
  readonly osProfile?: Bag;
  readonly networkProfile?: { readonly networkInterfaces?: readonly { readonly id: string }[] };
}

/** Publisher:offer:sku of generation 2, as Debian ("debian-12" in the marketplace) and Canonical ("Find Ubuntu images on Azure") publish them. */
const platformImages = new Set([
  "debian:debian-12:12-gen2",
  "debian:debian-12:12-arm64",
  "canonical:ubuntu-24_04-lts:server",
  "canonical:ubuntu-24_04-lts:server-arm64",
]);

/** Set once and for all: "Changing property '…' is not allowed" (Azure/azure-sdk-for-java#1912, Azure/azure-powershell#7621). */
const unchangeable = [
  ["osProfile", "customData"],
  ["osProfile", "adminUsername"],
  ["osProfile", "computerName"],
  ["storageProfile", "imageReference"],
  ["storageProfile", "osDisk", "name"],
  ["storageProfile", "osDisk", "createOption"],
  ["priority"],
] as const;

/** The directory that its identities are in. */
export const tenant = "00000000-0000-4000-8000-000000000001";

export function putMachine(asked: Asked): Put {
  return asked.before === undefined ? makeMachine(asked) : changeMachine(asked, asked.before);
}

function makeMachine(asked: Asked): Put {
  const { id, body, world } = asked;
  const { resources, machines, faults } = world;
  const properties = (body.properties ?? {}) as Properties;
  const cards = properties.networkProfile?.networkInterfaces ?? [];
  checkImage(properties);
  if (cards.length === 0) throw new ArmRefusal(400, "InvalidParameter", "Virtual machine must have at least one network interface.");
  checkReferences(
    asked,
    cards.map((card) => card.id),
  );
  for (const card of cards) checkFree(resources, card.id);
  const later = faults.checkMachine(wantedOf(body));
  const group = id.replace(/\/providers\/.*$/, "");
  const osDisk = properties.storageProfile?.osDisk ?? {};
  const diskId = `${group}/providers/Microsoft.Compute/disks/${osDisk.name ?? `${id.split("/").at(-1)}_OsDisk`}`;
  const { zones, location } = body;
  resources.put({
    id: diskId,
    location,
    managedBy: id,
    ...(zones === undefined ? {} : { zones }),
    properties: { diskSizeGB: osDisk.diskSizeGB },
  });
  const held = resources.put({
    ...body,
    id,
    ...(body.identity === undefined ? {} : { identity: { ...body.identity, principalId: randomUUID(), tenantId: tenant } }),
    properties: {
      ...properties,
      vmId: randomUUID(),
      timeCreated: new Date().toISOString(),
      storageProfile: {
        ...properties.storageProfile,
        osDisk: { osType: "Linux", ...osDisk, managedDisk: { ...osDisk.managedDisk, id: diskId } },
        dataDisks: [],
      },
    },
  });
  held.state = "Creating";
  held.power = "starting";
  for (const { id: card } of cards) resources.change(card, { properties: { ...resources.get(card).properties, virtualMachine: { id } } });
  const network = !faults.takeBootWithoutNetwork();
  return { held, isNew: true, isLong: true, work: later === undefined ? boot(machines, held, network) : fail(held, later) };
}

function wantedOf({ properties = {}, zones, location }: Body): WantedMachine {
  const { priority, hardwareProfile } = properties as Properties;
  return { size: hardwareProfile?.vmSize ?? "", zone: zones?.[0], location, market: priority === "Spot" ? "spot" : "on-demand" };
}

async function boot(machines: PutWorld["machines"], held: Held, network: boolean): Promise<void> {
  try {
    await machines.boot(held, { network });
  } catch (cause) {
    held.state = "Failed";
    throw cause;
  }
  delete held.state;
  held.power = "running";
}

/** A machine that found no place stays, and has never run. */
async function fail(held: Held, refusal: ArmRefusal): Promise<void> {
  held.state = "Failed";
  held.power = "deallocated";
  throw refusal;
}

function changeMachine({ id, body, world }: Asked, before: Held): Put {
  const [was, wanted] = [before.properties ?? {}, body.properties ?? {}];
  for (const path of unchangeable) {
    const now = valueAt(wanted, path);
    // What is not said again stays.
    if (now !== undefined && JSON.stringify(now) !== JSON.stringify(valueAt(was, path))) throw notAllowed(path.join("."));
  }
  if (body.zones !== undefined && JSON.stringify(body.zones) !== JSON.stringify(before.zones ?? [])) throw notAllowed("zones");
  const size = (properties: Bag) => (properties as Properties).hardwareProfile?.vmSize;
  if (size(wanted) !== size(was)) throw new ArmRefusal(400, "UnknownToTheDouble", `The double does not resize ${id}.`);
  const { osProfile, storageProfile: _storage, ...others } = wanted as Properties;
  const properties = { ...was, ...others, osProfile: { ...(was.osProfile as Bag), ...osProfile }, storageProfile: was.storageProfile };
  const held = world.resources.change(id, { ...(body.tags === undefined ? {} : { tags: body.tags }), properties });
  if (held.state !== "Failed") return { held, isNew: false, isLong: true };
  // One that found no place is tried again.
  const later = world.faults.checkMachine(wantedOf(held));
  held.state = "Creating";
  return { held, isNew: false, isLong: true, work: later === undefined ? boot(world.machines, held, true) : fail(held, later) };
}

function notAllowed(name: string): ArmRefusal {
  return new ArmRefusal(409, "PropertyChangeNotAllowed", `Changing property '${name}' is not allowed.`);
}

function valueAt(bag: Bag, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, name) => (value as Bag | undefined)?.[name], bag);
}

function checkImage({ storageProfile }: Properties): void {
  const image = storageProfile?.imageReference ?? {};
  if (image.id !== undefined) return;
  const { publisher = "", offer = "", sku = "", version = "" } = image;
  if (platformImages.has(`${publisher}:${offer}:${sku}`.toLowerCase())) return;
  throw new ArmRefusal(
    404,
    "PlatformImageNotFound",
    `The platform image '${publisher}:${offer}:${sku}:${version}' is not available. Verify that all fields in the storage profile are correct. For more details about storage profile information, please refer to https://aka.ms/storageprofile`,
  );
}

function checkFree(resources: ArmResources, card: string): void {
  const held = resources.get(card);
  const used = (held.properties?.virtualMachine as { id?: string } | undefined)?.id;
  if (held.type === cardType && used !== undefined)
    throw new ArmRefusal(400, "NicInUse", `Network Interface ${card} is used by existing resource ${used}.`);
}
