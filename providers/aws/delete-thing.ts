/** Deletes what AWS keeps beside machines: disks, addresses, interfaces, keys, groups, and networks with all that is in them. */
import type { EC2 } from "@aws-sdk/client-ec2";
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { ListedThing } from "../provider.ts";
import { askRegion } from "./client.ts";
import { type Patience, patiently } from "./patience.ts";
import { awsCode } from "./problem.ts";

/** What AWS says of a thing that something still hangs on; after a machine's end that lasts for seconds. */
const stillNeeded = new Set([
  "DependencyViolation",
  "VolumeInUse",
  "InvalidIPAddress.InUse",
  "InvalidNetworkInterface.InUse",
  "ResourceInUse",
]);
const alreadyGone = new Set(["Gateway.NotAttached", "InvalidGroupId.Malformed"]);

/** One that is gone already is no error. Throws `thing-in-use` for one that something holds for longer than the patience. */
export async function deleteAwsThing(thing: ListedThing, patience: Patience): Promise<void> {
  const where = `${thing.kind} ${thing.id} in AWS ${thing.region}`;
  await askRegion(thing.region, where, (ec2) => withCrashPoint("cloud.delete", () => remove(ec2, thing, where, patience)));
}

async function remove(ec2: EC2, thing: ListedThing, where: string, patience: Patience): Promise<void> {
  for (const step of await stepsOf(ec2, thing)) {
    const isDone = await patiently(patience, async () => {
      try {
        await step();
        return true;
      } catch (error) {
        if (isGone(error)) return true;
        if (stillNeeded.has(awsCode(error))) return undefined;
        throw error;
      }
    });
    if (isDone !== true) {
      throw new SpillwayError("something still uses it", {
        code: "thing-in-use",
        where,
        hint: "Look in AWS' console what hangs on it and bears no tag of ours; delete that, and run it again.",
      });
    }
  }
}

function isGone(error: unknown): boolean {
  const code = awsCode(error);
  return code.endsWith(".NotFound") || alreadyGone.has(code);
}

type Step = () => Promise<unknown>;

async function stepsOf(ec2: EC2, { kind, id }: ListedThing): Promise<readonly Step[]> {
  switch (kind) {
    case "disk":
      return [() => ec2.deleteVolume({ VolumeId: id })];
    case "address":
      return stepsOfAddress(ec2, id);
    case "interface":
      return [() => ec2.deleteNetworkInterface({ NetworkInterfaceId: id })];
    case "key":
      return [() => ec2.deleteKeyPair({ KeyPairId: id })];
    case "security-group":
      return [() => ec2.deleteSecurityGroup({ GroupId: id })];
    case "network":
      return stepsOfNetwork(ec2, id);
    case "resource-group":
      throw new SpillwayError("AWS has no resource groups that hold things", { code: "thing-unknown", where: id });
    default:
      return kind satisfies never;
  }
}

/** An address that hangs on something can't be released. */
async function stepsOfAddress(ec2: EC2, id: string): Promise<readonly Step[]> {
  const addresses = await found(async () => (await ec2.describeAddresses({ AllocationIds: [id] })).Addresses);
  const associations = addresses.flatMap(({ AssociationId }) => (AssociationId === undefined ? [] : [AssociationId]));
  return [
    ...associations.map((AssociationId) => () => ec2.disassociateAddress({ AssociationId })),
    () => ec2.releaseAddress({ AllocationId: id }),
  ];
}

/** A network goes when nothing is in it; AWS' own parts of it (main table, default group) go with it. */
async function stepsOfNetwork(ec2: EC2, id: string): Promise<readonly Step[]> {
  const inIt = { Filters: [{ Name: "vpc-id", Values: [id] }] };
  const [gateways, subnets, tables, groups] = await Promise.all([
    found(async () => (await ec2.describeInternetGateways({ Filters: [{ Name: "attachment.vpc-id", Values: [id] }] })).InternetGateways),
    found(async () => (await ec2.describeSubnets(inIt)).Subnets),
    found(async () => (await ec2.describeRouteTables(inIt)).RouteTables),
    found(async () => (await ec2.describeSecurityGroups(inIt)).SecurityGroups),
  ]);
  // The main table's association is AWS' own, and the table goes with the network.
  const ownTables = tables.filter(({ Associations = [] }) => !Associations.some(({ Main }) => Main === true));
  const associations = ownTables.flatMap(({ Associations = [] }) => Associations);
  return [
    ...associations.map(
      ({ RouteTableAssociationId: AssociationId }) =>
        () =>
          ec2.disassociateRouteTable({ AssociationId }),
    ),
    ...subnets.map(
      ({ SubnetId }) =>
        () =>
          ec2.deleteSubnet({ SubnetId }),
    ),
    ...gateways.flatMap(({ InternetGatewayId }) => [
      () => ec2.detachInternetGateway({ InternetGatewayId, VpcId: id }),
      () => ec2.deleteInternetGateway({ InternetGatewayId }),
    ]),
    ...ownTables.map(
      ({ RouteTableId }) =>
        () =>
          ec2.deleteRouteTable({ RouteTableId }),
    ),
    ...groups
      .filter(({ GroupName }) => GroupName !== "default")
      .map(
        ({ GroupId }) =>
          () =>
            ec2.deleteSecurityGroup({ GroupId }),
      ),
    () => ec2.deleteVpc({ VpcId: id }),
  ];
}

async function found<T>(ask: () => Promise<T[] | undefined>): Promise<T[]> {
  try {
    return (await ask()) ?? [];
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}
