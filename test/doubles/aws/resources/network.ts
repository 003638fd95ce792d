/** Vpc, Subnet, InternetGateway. Inputs: @pulumi/aws 7.48 `ec2/{vpc,subnet,internetGateway}.d.ts`; ForceNew: Terraform provider, internal/service/ec2/vpc_.go, vpc_subnet.go, vpc_internet_gateway.go. */
import {
  AttachInternetGatewayCommand,
  CreateInternetGatewayCommand,
  CreateSubnetCommand,
  CreateVpcCommand,
  DeleteInternetGatewayCommand,
  DeleteSubnetCommand,
  DeleteVpcCommand,
  DescribeInternetGatewaysCommand,
  DescribeNetworkAclsCommand,
  DescribeRouteTablesCommand,
  DescribeSecurityGroupsCommand,
  DescribeSubnetsCommand,
  DescribeVpcAttributeCommand,
  DescribeVpcsCommand,
  DetachInternetGatewayCommand,
  ModifySubnetAttributeCommand,
  ModifyVpcAttributeCommand,
} from "@aws-sdk/client-ec2";
import type { Bag } from "../../input-facts.ts";
import type { ResourceKind } from "../../plugin-server.ts";
import {
  type AwsContext,
  allTags,
  arnOf,
  deleteThing,
  regionInput,
  setTags,
  step,
  tagOutputs,
  tagSpecifications,
  tagsInput,
  unlessGone,
} from "../api.ts";

async function readVpc(id: string, context: AwsContext): Promise<Bag | undefined> {
  const { client, account, region } = context;
  const vpc = await unlessGone(async () => (await client.send(new DescribeVpcsCommand({ VpcIds: [id] }))).Vpcs?.[0]);
  if (vpc === undefined) return undefined;
  const attribute = async (Attribute: "enableDnsHostnames" | "enableDnsSupport") => {
    const answer = await client.send(new DescribeVpcAttributeCommand({ VpcId: id, Attribute }));
    return (Attribute === "enableDnsHostnames" ? answer.EnableDnsHostnames : answer.EnableDnsSupport)?.Value ?? false;
  };
  const ofVpc = [{ Name: "vpc-id", Values: [id] }];
  const main = await client.send(new DescribeRouteTablesCommand({ Filters: [...ofVpc, { Name: "association.main", Values: ["true"] }] }));
  const groups = await client.send(new DescribeSecurityGroupsCommand({ Filters: [...ofVpc, { Name: "group-name", Values: ["default"] }] }));
  const acls = await client.send(new DescribeNetworkAclsCommand({ Filters: [...ofVpc, { Name: "default", Values: ["true"] }] }));
  const mainRouteTableId = main.RouteTables?.[0]?.RouteTableId;
  return {
    arn: arnOf(context, "vpc", id),
    cidrBlock: vpc.CidrBlock,
    instanceTenancy: vpc.InstanceTenancy,
    dhcpOptionsId: vpc.DhcpOptionsId,
    enableDnsHostnames: await attribute("enableDnsHostnames"),
    enableDnsSupport: await attribute("enableDnsSupport"),
    enableNetworkAddressUsageMetrics: false,
    assignGeneratedIpv6CidrBlock: false,
    mainRouteTableId,
    defaultRouteTableId: mainRouteTableId,
    defaultSecurityGroupId: groups.SecurityGroups?.[0]?.GroupId,
    defaultNetworkAclId: acls.NetworkAcls?.[0]?.NetworkAclId,
    ownerId: vpc.OwnerId ?? account,
    region,
    ...tagOutputs(vpc.Tags, context),
  };
}

async function setVpcDns(id: string, wanted: Bag, context: AwsContext): Promise<void> {
  // One attribute a call (API reference, ModifyVpcAttribute).
  for (const [input, name] of [
    ["enableDnsSupport", "EnableDnsSupport"],
    ["enableDnsHostnames", "EnableDnsHostnames"],
  ] as const) {
    const value = wanted[input];
    if (typeof value !== "boolean") continue;
    await step(`modifying EC2 VPC (${id}) ${name}`, "ModifyVpcAttribute", () =>
      context.client.send(new ModifyVpcAttributeCommand({ VpcId: id, [name]: { Value: value } })),
    );
  }
}

export const vpc: ResourceKind<AwsContext> = {
  source: "https://www.pulumi.com/registry/packages/aws/api-docs/ec2/vpc/",
  inputs: {
    cidrBlock: { type: "string", computed: true, replaces: true },
    enableDnsHostnames: { type: "boolean", computed: true },
    enableDnsSupport: { type: "boolean", default: true },
    instanceTenancy: { type: "string", default: "default", oneOf: ["default"] },
    region: regionInput,
    tags: tagsInput,
  },
  computed: [
    "arn",
    "defaultNetworkAclId",
    "defaultRouteTableId",
    "defaultSecurityGroupId",
    "dhcpOptionsId",
    "enableDnsHostnames",
    "mainRouteTableId",
    "ownerId",
    "region",
    "tagsAll",
  ],
  async create(inputs, context) {
    const TagSpecifications = tagSpecifications("vpc", allTags(inputs, context));
    const { Vpc } = await step("creating EC2 VPC", "CreateVpc", () =>
      context.client.send(new CreateVpcCommand({ CidrBlock: inputs.cidrBlock as string, TagSpecifications })),
    );
    const id = Vpc?.VpcId ?? "";
    await setVpcDns(id, inputs, context);
    return { id, outputs: (await readVpc(id, context)) ?? {} };
  },
  read: (id, _state, context) => readVpc(id, context),
  async update(id, state, wanted, _changed, context) {
    await setVpcDns(id, wanted, context);
    await setTags(id, state, wanted, context);
    return (await readVpc(id, context)) ?? {};
  },
  delete: (id, _state, context) =>
    deleteThing(`deleting EC2 VPC (${id})`, "DeleteVpc", context, () => context.client.send(new DeleteVpcCommand({ VpcId: id }))),
};

async function readSubnet(id: string, context: AwsContext): Promise<Bag | undefined> {
  const found = await unlessGone(async () => (await context.client.send(new DescribeSubnetsCommand({ SubnetIds: [id] }))).Subnets?.[0]);
  if (found === undefined) return undefined;
  return {
    arn: found.SubnetArn ?? arnOf(context, "subnet", id),
    vpcId: found.VpcId,
    cidrBlock: found.CidrBlock,
    availabilityZone: found.AvailabilityZone,
    availabilityZoneId: found.AvailabilityZoneId,
    mapPublicIpOnLaunch: found.MapPublicIpOnLaunch ?? false,
    assignIpv6AddressOnCreation: found.AssignIpv6AddressOnCreation ?? false,
    ownerId: found.OwnerId ?? context.account,
    region: context.region,
    ...tagOutputs(found.Tags, context),
  };
}

async function setMapPublicIp(id: string, wanted: Bag, context: AwsContext): Promise<void> {
  const Value = wanted.mapPublicIpOnLaunch === true;
  await step(`setting EC2 Subnet (${id}) MapPublicIpOnLaunch`, "ModifySubnetAttribute", () =>
    context.client.send(new ModifySubnetAttributeCommand({ SubnetId: id, MapPublicIpOnLaunch: { Value } })),
  );
}

export const subnet: ResourceKind<AwsContext> = {
  source: "https://www.pulumi.com/registry/packages/aws/api-docs/ec2/subnet/",
  inputs: {
    vpcId: { type: "string", required: true, replaces: true },
    cidrBlock: { type: "string", replaces: true },
    availabilityZone: { type: "string", computed: true, replaces: true },
    availabilityZoneId: { type: "string", computed: true, replaces: true },
    mapPublicIpOnLaunch: { type: "boolean", default: false },
    region: regionInput,
    tags: tagsInput,
  },
  computed: ["arn", "availabilityZone", "availabilityZoneId", "ownerId", "region", "tagsAll"],
  async create(inputs, context) {
    const { Subnet } = await step("creating EC2 Subnet", "CreateSubnet", () =>
      context.client.send(
        new CreateSubnetCommand({
          VpcId: inputs.vpcId as string,
          CidrBlock: inputs.cidrBlock as string,
          AvailabilityZone: inputs.availabilityZone as string | undefined,
          AvailabilityZoneId: inputs.availabilityZoneId as string | undefined,
          TagSpecifications: tagSpecifications("subnet", allTags(inputs, context)),
        }),
      ),
    );
    const id = Subnet?.SubnetId ?? "";
    if (inputs.mapPublicIpOnLaunch === true) await setMapPublicIp(id, inputs, context);
    return { id, outputs: (await readSubnet(id, context)) ?? {} };
  },
  read: (id, _state, context) => readSubnet(id, context),
  async update(id, state, wanted, changed, context) {
    if (changed.includes("mapPublicIpOnLaunch")) await setMapPublicIp(id, wanted, context);
    await setTags(id, state, wanted, context);
    return (await readSubnet(id, context)) ?? {};
  },
  delete: (id, _state, context) =>
    deleteThing(`deleting EC2 Subnet (${id})`, "DeleteSubnet", context, () =>
      context.client.send(new DeleteSubnetCommand({ SubnetId: id })),
    ),
};

async function readGateway(id: string, context: AwsContext): Promise<Bag | undefined> {
  const { client } = context;
  const found = await unlessGone(
    async () => (await client.send(new DescribeInternetGatewaysCommand({ InternetGatewayIds: [id] }))).InternetGateways?.[0],
  );
  if (found === undefined) return undefined;
  return {
    arn: arnOf(context, "internet-gateway", id),
    vpcId: found.Attachments?.[0]?.VpcId,
    ownerId: found.OwnerId ?? context.account,
    region: context.region,
    ...tagOutputs(found.Tags, context),
  };
}

async function attach(id: string, vpcId: unknown, context: AwsContext): Promise<void> {
  if (typeof vpcId !== "string") return;
  await step(`attaching EC2 Internet Gateway (${id}) to EC2 VPC (${vpcId})`, "AttachInternetGateway", () =>
    context.client.send(new AttachInternetGatewayCommand({ InternetGatewayId: id, VpcId: vpcId })),
  );
}

async function detach(id: string, vpcId: unknown, context: AwsContext): Promise<void> {
  if (typeof vpcId !== "string") return;
  const sentence = `detaching EC2 Internet Gateway (${id}) from EC2 VPC (${vpcId})`;
  await deleteThing(sentence, "DetachInternetGateway", context, () =>
    context.client.send(new DetachInternetGatewayCommand({ InternetGatewayId: id, VpcId: vpcId })),
  );
}

export const internetGateway: ResourceKind<AwsContext> = {
  source: "https://www.pulumi.com/registry/packages/aws/api-docs/ec2/internetgateway/",
  inputs: { vpcId: { type: "string", computed: true }, region: regionInput, tags: tagsInput },
  computed: ["arn", "ownerId", "region", "tagsAll"],
  async create(inputs, context) {
    const TagSpecifications = tagSpecifications("internet-gateway", allTags(inputs, context));
    const { InternetGateway } = await step("creating EC2 Internet Gateway", "CreateInternetGateway", () =>
      context.client.send(new CreateInternetGatewayCommand({ TagSpecifications })),
    );
    const id = InternetGateway?.InternetGatewayId ?? "";
    await attach(id, inputs.vpcId, context);
    return { id, outputs: (await readGateway(id, context)) ?? {} };
  },
  read: (id, _state, context) => readGateway(id, context),
  async update(id, state, wanted, changed, context) {
    if (changed.includes("vpcId")) {
      await detach(id, state.vpcId, context);
      await attach(id, wanted.vpcId, context);
    }
    await setTags(id, state, wanted, context);
    return (await readGateway(id, context)) ?? {};
  },
  async delete(id, state, context) {
    await detach(id, state.vpcId, context);
    await deleteThing(`deleting EC2 Internet Gateway (${id})`, "DeleteInternetGateway", context, () =>
      context.client.send(new DeleteInternetGatewayCommand({ InternetGatewayId: id })),
    );
  },
};
