/** The network of an environment's machines in one region of AWS: a subnet per zone, a way out, and one security group. */
import { InternetGateway } from "@pulumi/aws/ec2/internetGateway.js";
import { Route } from "@pulumi/aws/ec2/route.js";
import { RouteTable } from "@pulumi/aws/ec2/routeTable.js";
import { RouteTableAssociation } from "@pulumi/aws/ec2/routeTableAssociation.js";
import { SecurityGroup } from "@pulumi/aws/ec2/securityGroup.js";
import { Subnet } from "@pulumi/aws/ec2/subnet.js";
import { Vpc } from "@pulumi/aws/ec2/vpc.js";
import { getAvailabilityZonesOutput } from "@pulumi/aws/getAvailabilityZones.js";
import * as pulumi from "@pulumi/pulumi";
import { type CloudNetworkSpec, tagNames } from "../cloud-machine.ts";
import { isPlainZone, letIn, subnetBlock, vpcBlock } from "./network-plan.ts";
import { awsInvoke, awsRegion } from "./region.ts";

export interface AwsNetwork {
  readonly vpcId: pulumi.Output<string>;
  /** Id of the subnet by zone. Who uses it comes after the subnet's way out, and goes before it. */
  readonly subnets: pulumi.Output<Record<string, string>>;
  readonly securityGroupIds: pulumi.Output<string[]>;
  /** All but the subnets of zones that were not named: those are known only while the program runs. */
  readonly resources: pulumi.Resource[];
}

/** Zones that get a subnet where none is named; two have room for each other's stockouts, more seldom help. */
const zonesByDefault = 3;

/**
 * Makes it. Throws `ssh-open-to-all` for SSH from everywhere, and `aws-zone-unknown` for a zone of another region.
 *
 * Machines reach everything outside; from outside only what `letIn` lists reaches them, and they reach each other on the
 * master's port only. The VPC's own default group, which would let its members talk to each other, is given to nobody.
 */
export function makeAwsNetwork(name: string, spec: CloudNetworkSpec, options: pulumi.CustomResourceOptions): AwsNetwork {
  const { region, zones } = spec;
  const own = awsRegion(region, options);
  const tags = (part: string) => networkTags(spec, part);
  const ingress = letIn(spec);
  const blocks = zones.map((zone) => [zone, subnetBlock(zone, region)] as const);

  const vpc = new Vpc(name, { cidrBlock: vpcBlock, enableDnsSupport: true, enableDnsHostnames: true, tags: tags(name) }, own);
  const gateway = new InternetGateway(name, { vpcId: vpc.id, tags: tags(name) }, own);
  const table = new RouteTable(name, { vpcId: vpc.id, tags: tags(name) }, own);
  const out = new Route(name, { routeTableId: table.id, destinationCidrBlock: "0.0.0.0/0", gatewayId: gateway.id }, own);
  const group = new SecurityGroup(
    name,
    {
      vpcId: vpc.id,
      // AWS can't change it afterwards: another text would be another group.
      description: "Machines of a Spillway environment",
      ingress,
      egress: [{ protocol: "-1", fromPort: 0, toPort: 0, cidrBlocks: ["0.0.0.0/0"], description: "everything out" }],
      tags: tags(name),
    },
    own,
  );

  const makeSubnet = (zone: string, cidrBlock: string) => {
    const subnetName = `${name}-${zone}`;
    const subnet = new Subnet(
      subnetName,
      // Each machine says itself whether it gets a public address.
      { vpcId: vpc.id, availabilityZone: zone, cidrBlock, mapPublicIpOnLaunch: false, tags: tags(subnetName) },
      own,
    );
    const association = new RouteTableAssociation(subnetName, { subnetId: subnet.id, routeTableId: table.id }, own);
    // A gateway can't go while a machine has a public address, so whoever needs the subnet needs the way out too.
    const id = pulumi.all([subnet.id, association.id, out.id]).apply(([subnetId]) => subnetId);
    return { zone, id, resources: [subnet, association] };
  };
  const byZone = (made: readonly ReturnType<typeof makeSubnet>[]) =>
    pulumi.output(Object.fromEntries(made.map(({ zone, id }) => [zone, id] as const)));

  const named = blocks.map(([zone, block]) => makeSubnet(zone, block));
  const subnets =
    named.length > 0
      ? byZone(named)
      : firstZones(region, own).apply((found) => byZone(found.map((zone) => makeSubnet(zone, subnetBlock(zone, region)))));
  return {
    vpcId: vpc.id,
    subnets,
    securityGroupIds: pulumi.output([group.id]),
    resources: [vpc, gateway, table, out, group, ...named.flatMap(({ resources }) => resources)],
  };
}

/** The region's own zones that are open to every account, by name; local zones want an opt-in and sell few types. */
function firstZones(region: string, options: pulumi.CustomResourceOptions): pulumi.Output<string[]> {
  const filters = [{ name: "opt-in-status", values: ["opt-in-not-required"] }];
  return getAvailabilityZonesOutput({ state: "available", filters }, awsInvoke(region, options)).apply(({ names }) =>
    names
      .filter((zone) => isPlainZone(zone, region))
      .toSorted()
      .slice(0, zonesByDefault),
  );
}

function networkTags({ environment, environmentId }: CloudNetworkSpec, name: string): Record<string, pulumi.Input<string>> {
  return { [tagNames.environmentId]: environmentId, [tagNames.environment]: environment, Name: name };
}
