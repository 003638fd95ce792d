/** What the cloud's double holds, counted at the cloud itself, past everything of ours. */
import {
  AllocateAddressCommand,
  DescribeAddressesCommand,
  DescribeInstancesCommand,
  DescribeInternetGatewaysCommand,
  DescribeKeyPairsCommand,
  DescribeNetworkInterfacesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeVolumesCommand,
  DescribeVpcsCommand,
  EC2Client,
  type Tag,
} from "@aws-sdk/client-ec2";
import { region } from "./cloud-rack.ts";

/** Ids by kind; what the account had from the start (its default network) is left out. */
interface CloudInventory {
  readonly instances: readonly string[];
  readonly disks: readonly string[];
  readonly addresses: readonly string[];
  readonly interfaces: readonly string[];
  readonly keys: readonly string[];
  readonly groups: readonly string[];
  readonly gateways: readonly string[];
  readonly subnets: readonly string[];
  readonly networks: readonly string[];
}

export const emptyInventory: CloudInventory = {
  instances: [],
  disks: [],
  addresses: [],
  interfaces: [],
  keys: [],
  groups: [],
  gateways: [],
  subnets: [],
  networks: [],
};

export async function cloudInventory(url: string): Promise<CloudInventory> {
  const client = clientOf(url);
  try {
    const [reservations, volumes, addresses, interfaces, keys, groups, gateways, subnets, networks] = await Promise.all([
      client.send(new DescribeInstancesCommand({})),
      client.send(new DescribeVolumesCommand({})),
      client.send(new DescribeAddressesCommand({})),
      client.send(new DescribeNetworkInterfacesCommand({})),
      client.send(new DescribeKeyPairsCommand({})),
      client.send(new DescribeSecurityGroupsCommand({})),
      client.send(new DescribeInternetGatewaysCommand({})),
      client.send(new DescribeSubnetsCommand({})),
      client.send(new DescribeVpcsCommand({})),
    ]);
    const isOwn = (network: string | undefined) => networks.Vpcs?.find(({ VpcId }) => VpcId === network)?.IsDefault !== true;
    const instances = (reservations.Reservations ?? []).flatMap(({ Instances = [] }) => Instances);
    return {
      instances: ids(instances.filter(({ State }) => State?.Name !== "terminated").map(({ InstanceId }) => InstanceId)),
      disks: ids(volumes.Volumes?.map(({ VolumeId }) => VolumeId)),
      addresses: ids(addresses.Addresses?.map(({ AllocationId }) => AllocationId)),
      interfaces: ids(interfaces.NetworkInterfaces?.map(({ NetworkInterfaceId }) => NetworkInterfaceId)),
      keys: ids(keys.KeyPairs?.map(({ KeyPairId }) => KeyPairId)),
      groups: ids(groups.SecurityGroups?.flatMap(({ GroupId, VpcId }) => (isOwn(VpcId) ? [GroupId] : []))),
      gateways: ids(gateways.InternetGateways?.map(({ InternetGatewayId }) => InternetGatewayId)),
      subnets: ids(subnets.Subnets?.flatMap(({ SubnetId, VpcId }) => (isOwn(VpcId) ? [SubnetId] : []))),
      networks: ids(networks.Vpcs?.flatMap(({ VpcId, IsDefault }) => (IsDefault === true ? [] : [VpcId]))),
    };
  } finally {
    client.destroy();
  }
}

/** An address as one is left by an engine that was killed when the cloud had made it. Returns its id. */
export async function unrecordedAddress(url: string, environmentId: string): Promise<string> {
  const client = clientOf(url);
  const Tags = [{ Key: "spillway:environment-id", Value: environmentId }];
  try {
    const made = await client.send(
      new AllocateAddressCommand({ Domain: "vpc", TagSpecifications: [{ ResourceType: "elastic-ip", Tags }] }),
    );
    return made.AllocationId ?? "";
  } finally {
    client.destroy();
  }
}

function clientOf(url: string): EC2Client {
  return new EC2Client({ endpoint: url, region, credentials: { accessKeyId: "double", secretAccessKey: "double" } });
}

function ids(found: readonly (string | undefined)[] = []): string[] {
  return found.flatMap((id) => id ?? []).toSorted();
}

/** Value of one tag. */
export function tagOf(tags: readonly Tag[] | undefined, name: string): string | undefined {
  return tags?.find(({ Key }) => Key === name)?.Value;
}
