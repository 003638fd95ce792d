/** What AWS has of an environment, asked by its tag: machines, and what it bills or counts beside them. */
import type { Address, EC2, Instance, InstanceStateName, NetworkInterface, Tag, Volume } from "@aws-sdk/client-ec2";
import type { Machine } from "../../agent/contract/machine.ts";
import { tagNames } from "../cloud-machine.ts";
import type { ListedMachine, ListedThing, Listing, MachineStatus } from "../provider.ts";
import { allOf, askRegion } from "./client.ts";
import { publicAddressHourly } from "./public-address.ts";

/** The login that cloud-init makes. */
const loginUser = "spillway";
/** All but `terminated`, which AWS shows for about an hour after a machine's end. */
const existing: InstanceStateName[] = ["pending", "running", "shutting-down", "stopping", "stopped"];

/** AWS gives 1,000 at most; smaller pages cost it less, and it asks for pages wherever there may be many. */
const itemsOfPage = 500;

/** Throws `cloud-…` when a region can't be asked: what one region has would be missing, and that reads as gone. */
export async function listAws(environmentId: string, regions: readonly string[], pageSize = itemsOfPage): Promise<Listing> {
  const listings = await Promise.all(
    [...new Set(regions)].map((region) =>
      askRegion(region, `AWS ${region}`, (ec2) => listRegion(ec2, { region, environmentId, pageSize })),
    ),
  );
  return { machines: listings.flatMap(({ machines }) => machines), things: listings.flatMap(({ things }) => things), unasked: [] };
}

interface Asked {
  readonly region: string;
  readonly environmentId: string;
  readonly pageSize: number;
}

async function listRegion(ec2: EC2, { region, environmentId, pageSize }: Asked): Promise<Pick<Listing, "machines" | "things">> {
  const tagged = { Name: `tag:${tagNames.environmentId}`, Values: [environmentId] };
  const all = { Filters: [tagged] };
  const pages = { pageSize };
  const [reservations, volumes, addresses, interfaces, keys, groups, networks] = await Promise.all([
    allOf(
      ec2.paginateDescribeInstances({ Filters: [tagged, { Name: "instance-state-name", Values: existing }] }, pages),
      (page) => page.Reservations,
    ),
    allOf(ec2.paginateDescribeVolumes(all, pages), (page) => page.Volumes),
    ec2.describeAddresses(all),
    allOf(ec2.paginateDescribeNetworkInterfaces(all, pages), (page) => page.NetworkInterfaces),
    ec2.describeKeyPairs(all),
    allOf(ec2.paginateDescribeSecurityGroups(all, pages), (page) => page.SecurityGroups),
    allOf(ec2.paginateDescribeVpcs(all, pages), (page) => page.Vpcs),
  ]);
  const instances = reservations.flatMap((reservation) => reservation.Instances ?? []);
  const thing = (
    kind: ListedThing["kind"],
    id: string | undefined,
    tags: Tag[] | undefined,
    more: Partial<ListedThing> = {},
  ): ListedThing[] => (id === undefined ? [] : [{ kind, id, provider: "aws", region, environmentId, ...burstOf(tags), ...more }]);
  return {
    machines: instances.flatMap((instance) => listedMachine(instance, region)),
    things: [
      ...volumes.flatMap((volume) => thing("disk", volume.VolumeId, volume.Tags, hangsOn(holderOfVolume(volume)))),
      ...(addresses.Addresses ?? []).flatMap((address) =>
        thing("address", address.AllocationId, address.Tags, { ...hangsOn(holderOfAddress(address)), hourly: publicAddressHourly }),
      ),
      ...interfaces.flatMap((one) => thing("interface", one.NetworkInterfaceId, one.TagSet, hangsOn(holderOfInterface(one)))),
      ...(keys.KeyPairs ?? []).flatMap((key) => thing("key", key.KeyPairId, key.Tags)),
      ...groups.flatMap((group) => thing("security-group", group.GroupId, group.Tags)),
      ...networks.flatMap((network) => thing("network", network.VpcId, network.Tags)),
    ],
  };
}

/** The machine as it can be listed; nothing for what has ended. Its host key AWS does not know. */
export function listedMachine(instance: Instance, region: string): ListedMachine[] {
  const { InstanceId: id, Tags, State, PublicIpAddress, PrivateIpAddress } = instance;
  const status = statusOf(State?.Name);
  const environmentId = tagOf(Tags, tagNames.environmentId);
  if (id === undefined || environmentId === undefined || status === "gone") return [];
  const madeAt = birthOf(instance);
  const machine: Machine = {
    name: tagOf(Tags, tagNames.node) ?? id,
    pool: tagOf(Tags, tagNames.pool) ?? "",
    provider: "aws",
    providerId: id,
    host: PublicIpAddress ?? PrivateIpAddress ?? "",
    port: 22,
    user: loginUser,
    credential: { kind: "agent" },
    labels: {},
    attributes: attributesOf(instance, region),
    ...burstOf(Tags),
  };
  return [{ machine, environmentId, status, ...burstOf(Tags), ...(madeAt === undefined ? {} : { madeAt }) }];
}

/**
 * `pending` and `running` are running, and so is a state that this version does not know: such a machine is there.
 * `shutting-down` exists with its disk for some more seconds, though nothing can bring it back; the states are those of
 * https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html
 */
export function statusOf(state: InstanceStateName | undefined): Exclude<MachineStatus, "silent"> {
  if (state === "terminated") return "gone";
  return state === "stopping" || state === "stopped" || state === "shutting-down" ? "stopped" : "running";
}

function attributesOf({ InstanceType, InstanceLifecycle, Architecture, Placement }: Instance, region: string): Record<string, string> {
  return {
    cloud: "aws",
    region,
    market: InstanceLifecycle === "spot" ? "spot" : "on-demand",
    ...(Placement?.AvailabilityZone === undefined ? {} : { zone: Placement.AvailabilityZone }),
    ...(InstanceType === undefined ? {} : { instanceType: InstanceType }),
    ...(Architecture === undefined ? {} : { arch: Architecture.startsWith("arm64") ? "arm64" : "x64" }),
  };
}

/** `LaunchTime` is that of its last start; its network interface and disks have been there since it was made. */
function birthOf({ LaunchTime, NetworkInterfaces = [], BlockDeviceMappings = [] }: Instance): number | undefined {
  const times = [
    LaunchTime,
    ...NetworkInterfaces.map((one) => one.Attachment?.AttachTime),
    ...BlockDeviceMappings.map((one) => one.Ebs?.AttachTime),
  ].flatMap((time) => (time === undefined ? [] : [time.getTime()]));
  return times.length === 0 ? undefined : Math.min(...times);
}

function holderOfVolume({ Attachments = [] }: Volume): string | undefined {
  return Attachments.find(({ State }) => State !== "detached")?.InstanceId;
}

function holderOfAddress({ InstanceId }: Address): string | undefined {
  return InstanceId;
}

function holderOfInterface({ Attachment }: NetworkInterface): string | undefined {
  return Attachment?.InstanceId;
}

function hangsOn(of: string | undefined): Partial<ListedThing> {
  return of === undefined || of === "" ? {} : { of };
}

function burstOf(tags: Tag[] | undefined): { readonly burst?: string } {
  const burst = tagOf(tags, tagNames.burst);
  return burst === undefined ? {} : { burst };
}

function tagOf(tags: Tag[] | undefined, name: string): string | undefined {
  return tags?.find(({ Key }) => Key === name)?.Value;
}
