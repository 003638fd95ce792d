/** Functions of the provider. Inputs and outputs: @pulumi/aws 7.48 `ec2/{getAmi,getSubnets,getVpc}.d.ts`, `getAvailabilityZones.d.ts`, `getCallerIdentity.d.ts`. */
import {
  DescribeAvailabilityZonesCommand,
  DescribeImagesCommand,
  DescribeSubnetsCommand,
  DescribeVpcsCommand,
  type Filter,
} from "@aws-sdk/client-ec2";
import type { Bag, InputFact, InputFacts } from "../input-facts.ts";
import type { InvokeKind } from "../plugin-server.ts";
import { type AwsContext, arnOf, providerError, step } from "./api.ts";

const region: InputFact = { type: "string" };
const filters: InputFact = {
  type: "objects",
  of: { name: { type: "string", required: true }, values: { type: "strings", required: true } },
};
const tags: InputFact = { type: "tags" };

function filterList(inputs: Bag, extra: Readonly<Record<string, unknown>> = {}): Filter[] | undefined {
  const given = ((inputs.filters ?? []) as { name: string; values: string[] }[]).map(({ name, values }) => ({
    Name: name,
    Values: values,
  }));
  const tagged = Object.entries((inputs.tags ?? {}) as Record<string, string>).map(([key, value]) => ({
    Name: `tag:${key}`,
    Values: [value],
  }));
  const more = Object.entries(extra).flatMap(([Name, value]) => (value === undefined ? [] : [{ Name, Values: [String(value)] }]));
  const all = [...given, ...tagged, ...more];
  return all.length === 0 ? undefined : all;
}

function invoke(page: string, inputs: InputFacts, run: InvokeKind<AwsContext>["run"]): InvokeKind<AwsContext> {
  return { source: `https://www.pulumi.com/registry/packages/aws/api-docs/${page}/`, inputs: { ...inputs, region }, run };
}

const getAmi = invoke(
  "ec2/getami",
  {
    filters,
    includeDeprecated: { type: "boolean", default: false },
    mostRecent: { type: "boolean", default: false },
    nameRegex: { type: "string" },
    owners: { type: "strings" },
  },
  async (inputs, context) => {
    const request = new DescribeImagesCommand({ Owners: inputs.owners as string[] | undefined, Filters: filterList(inputs) });
    const { Images = [] } = await step("reading EC2 AMIs", "DescribeImages", () => context.client.send(request));
    const named = Images.filter(({ Name = "" }) => inputs.nameRegex === undefined || new RegExp(inputs.nameRegex as string).test(Name));
    if (named.length === 0) throw providerError("Your query returned no results. Please change your search criteria and try again.");
    if (named.length > 1 && inputs.mostRecent !== true) {
      throw providerError(
        "Your query returned more than one result. Please try a more specific search criteria, or set `most_recent` attribute to true.",
      );
    }
    const [image] = named.toSorted((a, b) => (b.CreationDate ?? "").localeCompare(a.CreationDate ?? ""));
    return {
      ...inputs,
      id: image?.ImageId,
      imageId: image?.ImageId,
      arn: `arn:aws:ec2:${context.region}::image/${image?.ImageId}`,
      architecture: image?.Architecture,
      blockDeviceMappings: [],
      bootMode: "",
      creationDate: image?.CreationDate,
      deprecationTime: "",
      description: image?.Description ?? "",
      enaSupport: image?.EnaSupport ?? true,
      hypervisor: image?.Hypervisor,
      imageLocation: image?.ImageLocation,
      imageOwnerAlias: "",
      imageType: image?.ImageType,
      imdsSupport: "",
      kernelId: "",
      lastLaunchedTime: "",
      name: image?.Name,
      ownerId: image?.OwnerId,
      platform: "",
      platformDetails: image?.PlatformDetails,
      productCodes: [],
      public: image?.Public,
      ramdiskId: "",
      region: context.region,
      rootDeviceName: image?.RootDeviceName,
      rootDeviceType: image?.RootDeviceType,
      rootSnapshotId: "",
      sriovNetSupport: image?.SriovNetSupport,
      state: image?.State,
      stateReason: { code: "UNSET", message: "UNSET" },
      tags: {},
      tpmSupport: "",
      usageOperation: "",
      virtualizationType: image?.VirtualizationType,
    };
  },
);

const getAvailabilityZones = invoke(
  "getavailabilityzones",
  {
    allAvailabilityZones: { type: "boolean" },
    excludeNames: { type: "strings" },
    excludeZoneIds: { type: "strings" },
    filters,
    state: { type: "string" },
  },
  async (inputs, context) => {
    const request = new DescribeAvailabilityZonesCommand({
      AllAvailabilityZones: inputs.allAvailabilityZones as boolean | undefined,
      Filters: filterList(inputs, { state: inputs.state }),
    });
    const { AvailabilityZones = [] } = await step("reading EC2 Availability Zones", "DescribeAvailabilityZones", () =>
      context.client.send(request),
    );
    const zones = AvailabilityZones.filter(({ ZoneName = "", ZoneId = "" }) => {
      return !((inputs.excludeNames ?? []) as string[]).includes(ZoneName) && !((inputs.excludeZoneIds ?? []) as string[]).includes(ZoneId);
    }).toSorted((a, b) => (a.ZoneName ?? "").localeCompare(b.ZoneName ?? ""));
    return {
      ...inputs,
      id: context.region,
      region: context.region,
      groupNames: [...new Set(zones.map(({ GroupName }) => GroupName ?? context.region))],
      names: zones.map(({ ZoneName }) => ZoneName),
      zoneIds: zones.map(({ ZoneId }) => ZoneId),
    };
  },
);

const getSubnets = invoke("ec2/getsubnets", { filters, tags }, async (inputs, context) => {
  const { Subnets = [] } = await step("reading EC2 Subnets", "DescribeSubnets", () =>
    context.client.send(new DescribeSubnetsCommand({ Filters: filterList(inputs) })),
  );
  return { ...inputs, id: context.region, region: context.region, ids: Subnets.map(({ SubnetId }) => SubnetId), tags: inputs.tags ?? {} };
});

const getVpc = invoke(
  "ec2/getvpc",
  { cidrBlock: { type: "string" }, default: { type: "boolean" }, filters, id: { type: "string" }, state: { type: "string" }, tags },
  async (inputs, context) => {
    const request = new DescribeVpcsCommand({
      VpcIds: inputs.id === undefined ? undefined : [inputs.id as string],
      Filters: filterList(inputs, { cidr: inputs.cidrBlock, isDefault: inputs.default, state: inputs.state }),
    });
    const { Vpcs = [] } = await step("reading EC2 VPCs", "DescribeVpcs", () => context.client.send(request));
    if (Vpcs.length === 0) throw providerError("no matching EC2 VPC found");
    if (Vpcs.length > 1) {
      throw providerError("multiple EC2 VPCs matched; use additional constraints to reduce matches to a single EC2 VPC");
    }
    const [vpc] = Vpcs;
    return {
      arn: arnOf(context, "vpc", vpc?.VpcId ?? ""),
      cidrBlock: vpc?.CidrBlock,
      cidrBlockAssociations: (vpc?.CidrBlockAssociationSet ?? []).map((each) => ({
        associationId: each.AssociationId,
        cidrBlock: each.CidrBlock,
        state: each.CidrBlockState?.State,
      })),
      default: vpc?.IsDefault ?? false,
      dhcpOptionsId: vpc?.DhcpOptionsId ?? "",
      enableDnsHostnames: vpc?.IsDefault ?? false,
      enableDnsSupport: true,
      enableNetworkAddressUsageMetrics: false,
      id: vpc?.VpcId,
      instanceTenancy: vpc?.InstanceTenancy ?? "default",
      ipv6AssociationId: "",
      ipv6CidrBlock: "",
      mainRouteTableId: "",
      ownerId: vpc?.OwnerId ?? context.account,
      region: context.region,
      state: vpc?.State,
      tags: Object.fromEntries((vpc?.Tags ?? []).map(({ Key = "", Value = "" }) => [Key, Value])),
    };
  },
);

const getCallerIdentity: InvokeKind<AwsContext> = {
  source: "https://www.pulumi.com/registry/packages/aws/api-docs/getcalleridentity/",
  inputs: { id: { type: "string" } },
  async run(_inputs, { account }) {
    return { accountId: account, arn: `arn:aws:iam::${account}:user/double`, id: account, userId: "AIDACKCEVSQ6C2EXAMPLE" };
  },
};

export const invokes: Readonly<Record<string, InvokeKind<AwsContext>>> = {
  "aws:ec2/getAmi:getAmi": getAmi,
  "aws:ec2/getSubnets:getSubnets": getSubnets,
  "aws:ec2/getVpc:getVpc": getVpc,
  "aws:index/getAvailabilityZones:getAvailabilityZones": getAvailabilityZones,
  "aws:index/getCallerIdentity:getCallerIdentity": getCallerIdentity,
};
