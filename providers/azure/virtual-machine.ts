/**
 * One virtual machine at Azure with what hangs on it: interface, disk and, if wanted, public address. All have names that follow
 * from the machine's, all go with it (`deleteOption`), and in a burst all are in the burst's own group.
 *
 * The disk is encrypted at rest with keys of the platform, which is so for every managed disk. Encryption at the host, which
 * covers caches and temporary disks too, is left out: a subscription must first be registered for it, and without that every
 * machine would be refused.
 */
import { createHash } from "node:crypto";
import { VirtualMachine } from "@pulumi/azure-native/compute/virtualMachine.js";
import { NetworkInterface } from "@pulumi/azure-native/network/networkInterface.js";
import { PublicIPAddress } from "@pulumi/azure-native/network/publicIPAddress.js";
import * as pulumi from "@pulumi/pulumi";
import { byType } from "../by-type.ts";
import { type CloudIdentity, type CloudMachineSpec, type MadeCloudMachine, tagsOf } from "../cloud-machine.ts";
import { cloudUser } from "../user-data.ts";
import { machineId, parseArmId } from "./arm-id.ts";
import { burstGroupOf } from "./burst-group.ts";
import { billedDiskGiB } from "./disk-tier.ts";
import { imageReference, securityProfile } from "./image.ts";
import { keyOfNobody } from "./key-of-nobody.ts";
import type { AzureOptions } from "./native-provider.ts";
import { allowOwnGroup } from "./own-group-role.ts";

export interface AzureMachineSpec extends CloudMachineSpec {
  readonly identity: CloudIdentity;
  readonly network: {
    readonly subnetId: pulumi.Input<string>;
    readonly securityGroupId: pulumi.Input<string>;
    /** The environment's; a burst's machine is made in its burst's own. */
    readonly resourceGroup: pulumi.Input<string>;
  };
}

interface MadeAzureMachine extends MadeCloudMachine {
  /** The UUID that Azure gives each machine, lower case: it tells a machine from the one before it, whose id is the same, and signs its attested data. */
  readonly vmId: pulumi.Output<string>;
}

/**
 * Makes it. `options.import` is the id of a machine that is there already and in no state: it is taken over with its interface
 * and address, since Pulumi's provider makes nothing that exists ("cannot create already existing resource").
 */
export function makeAzureMachine(spec: AzureMachineSpec, options: AzureOptions): MadeAzureMachine {
  const { identity, network, region: location } = spec;
  const { name, burst } = identity;
  const group = burst === undefined ? undefined : burstGroupOf({ ...identity, burst }, location, importing(options, ""));
  const place: Place = {
    resourceGroupName: group?.name ?? network.resourceGroup,
    location,
    tags: { ...tagsOf(identity), Name: name },
  };
  const address = spec.address === "private" ? undefined : makeAddress(spec, place, options);
  const card = makeInterface(spec, place, address, options);
  const machine = new VirtualMachine(
    name,
    {
      ...place,
      vmName: name,
      hardwareProfile: { vmSize: spec.instanceType },
      ...(zonesOf(spec) === undefined ? {} : { zones: zonesOf(spec) }),
      ...marketOf(spec),
      storageProfile: {
        imageReference: imageReference(spec),
        osDisk: {
          name: `${name}-disk`,
          createOption: "FromImage",
          // What is paid for anyway.
          diskSizeGB: billedDiskGiB(spec.diskGiB),
          managedDisk: { storageAccountType: "StandardSSD_LRS" },
          caching: "ReadWrite",
          deleteOption: "Delete",
        },
      },
      osProfile: {
        computerName: name,
        adminUsername: cloudUser,
        customData: pulumi.secret(pulumi.output(spec.userData).apply((text) => Buffer.from(text).toString("base64"))),
        linuxConfiguration: {
          disablePasswordAuthentication: true,
          ssh: { publicKeys: [{ path: `/home/${cloudUser}/.ssh/authorized_keys`, keyData: keyOfNobody(name) }] },
        },
      },
      networkProfile: { networkInterfaces: [{ id: card.id, primary: true, deleteOption: keptOrGone(spec) }] },
      securityProfile: byType(spec.instanceType, (instanceType) => securityProfile({ ...spec, instanceType })),
      // A task can ask the machine for its identity's token; only what is bought for a while has one, and it may only end itself.
      ...(burst === undefined ? {} : { identity: { type: "SystemAssigned" } }),
    },
    {
      ...importing(options, `Microsoft.Compute/virtualMachines/${name}`),
      ignoreChanges: ["osProfile.customData", "storageProfile.imageReference", ...(options.ignoreChanges ?? [])],
      // Azure refuses to change them on a machine that exists.
      replaceOnChanges: ["zones", "priority", "evictionPolicy", "billingProfile", ...(options.replaceOnChanges ?? [])],
      // The next one has the same name.
      deleteBeforeReplace: true,
    },
  );
  const privateHost = card.ipConfigurations.apply((all) => all?.[0]?.privateIPAddress ?? "");
  return {
    resource: group === undefined || burst === undefined ? machine : allowedToEnd(machine, { ...identity, burst }, group.id, options),
    providerId: machine.id.apply(machineId),
    host: address === undefined ? privateHost : pulumi.all([address.ipAddress, privateHost]).apply(([open, inner]) => open ?? inner),
    privateHost,
    // Not what Azure says of it: an output that a machine without zones lacks is unknown to a preview.
    zone: pulumi.output(spec.zone ?? ""),
    vmId: machine.vmId.apply((id) => id.toLowerCase()),
  };
}

interface Place {
  readonly resourceGroupName: pulumi.Input<string>;
  readonly location: string;
  readonly tags: Record<string, pulumi.Input<string>>;
}

/** Standard is the only kind there is: static, and closed until a security group opens it (Basic ended on 30 September 2025). */
function makeAddress(spec: AzureMachineSpec, place: Place, options: AzureOptions): PublicIPAddress {
  const called = `${spec.identity.name}-address`;
  return new PublicIPAddress(
    called,
    {
      ...place,
      publicIpAddressName: withLife(called, spec),
      sku: { name: "Standard" },
      publicIPAddressVersion: "IPv4",
      publicIPAllocationMethod: "Static",
      deleteOption: keptOrGone(spec),
      tags: { ...place.tags, Name: called },
    },
    replacedAfter(importing(options, `Microsoft.Network/publicIPAddresses/${withLife(called, spec)}`)),
  );
}

function makeInterface(
  spec: AzureMachineSpec,
  place: Place,
  address: PublicIPAddress | undefined,
  options: AzureOptions,
): NetworkInterface {
  const { network, identity } = spec;
  const called = `${identity.name}-interface`;
  return new NetworkInterface(
    called,
    {
      ...place,
      networkInterfaceName: withLife(called, spec),
      // Also on the subnet; here it holds if someone takes it off there.
      networkSecurityGroup: { id: network.securityGroupId },
      enableIPForwarding: false,
      ipConfigurations: [
        {
          name: "machine",
          primary: true,
          privateIPAllocationMethod: "Dynamic",
          subnet: { id: network.subnetId },
          ...(address === undefined ? {} : { publicIPAddress: { id: address.id, deleteOption: keptOrGone(spec) } }),
        },
      ],
      tags: { ...place.tags, Name: called },
    },
    replacedAfter(importing(options, `Microsoft.Network/networkInterfaces/${withLife(called, spec)}`)),
  );
}

/**
 * The former one goes last: Azure deletes neither an address while an interface holds it, nor an interface while a machine does
 * ("PublicIPAddressCannotBeDeleted"), and Pulumi's provider would delete first whatever has a name of its own.
 */
function replacedAfter(options: AzureOptions): AzureOptions {
  return { ...options, deleteBeforeReplace: false };
}

/** The options of a part of the machine: where the machine is taken over, so is the part beside it in its group, or with "" the group. */
function importing(options: AzureOptions, part: string): AzureOptions {
  const { import: machine, ...others } = options;
  if (machine === undefined) return others;
  const { subscription, resourceGroup } = parseArmId(machine);
  const group = `/subscriptions/${subscription}/resourceGroups/${resourceGroup}`;
  return { ...others, import: part === "" ? group : `${group}/providers/${part}` };
}

/** A fixed address outlives its machine, and so does the interface that holds it. */
function keptOrGone({ address }: AzureMachineSpec): "Detach" | "Delete" {
  return address === "fixed" ? "Detach" : "Delete";
}

/**
 * What goes with its machine must be made anew with it: its name holds what no machine can change in its life, and so changes
 * with the machine. What is kept has one name for ever.
 */
function withLife(called: string, { address, zone, market, maxSpotPrice }: AzureMachineSpec): string {
  if (address === "fixed") return called;
  const life = createHash("sha256").update(JSON.stringify([zone ?? "", market, maxSpotPrice ?? -1]));
  return `${called}-${life.digest("hex").slice(0, 6)}`;
}

/** `2`, also where it is written with its region: `westeurope-2`. */
function zonesOf({ zone }: AzureMachineSpec): string[] | undefined {
  return zone === undefined || zone === "" ? undefined : [zone.slice(zone.lastIndexOf("-") + 1)];
}

/**
 * A spot machine that Azure wants back is deleted and not only switched off: its disk would go on costing. −1: up to the price
 * on demand. On demand nothing is written, so that a refresh that reads nothing back finds nothing changed.
 */
function marketOf({ market, maxSpotPrice }: AzureMachineSpec) {
  if (market === "on-demand") return {};
  return {
    priority: "Spot",
    evictionPolicy: "Delete",
    billingProfile: { maxPrice: maxSpotPrice === undefined ? -1 : asLimit(maxSpotPrice) },
  };
}

/** With five decimals, as in Azure's own example of a `maxPrice` (0.01538), rounded down, since it is a limit. */
function asLimit(usd: number): number {
  return Math.floor(usd * 1e5 + 1e-6) / 1e5;
}

function allowedToEnd(
  machine: VirtualMachine,
  { environmentId, burst, name }: CloudIdentity & { readonly burst: string },
  groupId: pulumi.Input<string>,
  options: AzureOptions,
): pulumi.Resource {
  const principalId = machine.identity.apply((made) => made?.principalId ?? "");
  const { import: _machine, ...others } = options;
  return allowOwnGroup(`${name}-may-end`, { environmentId, burst, machine: name, groupId, principalId }, others);
}
