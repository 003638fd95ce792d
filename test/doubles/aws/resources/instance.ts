/**
 * Instance. Inputs and defaults: @pulumi/aws 7.48 `ec2/instance.d.ts` and `types/input.d.ts`; ForceNew, time limits (create
 * 10 min, delete 20 min) and the order of calls: Terraform provider, internal/service/ec2/ec2_instance.go.
 */
import { randomUUID } from "node:crypto";
import {
  type BlockDeviceMapping,
  DescribeImagesCommand,
  DescribeInstanceAttributeCommand,
  DescribeInstancesCommand,
  DescribeVolumesCommand,
  type Instance,
  ModifyInstanceAttributeCommand,
  ModifyInstanceMetadataOptionsCommand,
  RunInstancesCommand,
  type RunInstancesCommandInput,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
  type TagSpecification,
  type VolumeType,
} from "@aws-sdk/client-ec2";
import type { Bag } from "../../input-facts.ts";
import { MadeButFailed, type ResourceKind } from "../../plugin-server.ts";
import {
  type AwsContext,
  allTags,
  arnOf,
  isNotFound,
  providerError,
  setTags,
  step,
  tagOutputs,
  tagSpecifications,
  unlessGone,
  waitFor,
} from "../api.ts";
import { instanceComputed, instanceInputs } from "./instance-facts.ts";

const createSeconds = 600;
const deleteSeconds = 1200;

async function find(id: string, context: AwsContext): Promise<Instance | undefined> {
  const request = new DescribeInstancesCommand({ InstanceIds: [id] });
  return await unlessGone(async () => (await context.client.send(request)).Reservations?.[0]?.Instances?.[0]);
}

async function runOptions(inputs: Bag, context: AwsContext): Promise<RunInstancesCommandInput> {
  const text = <T extends string>(name: string) => inputs[name] as T | undefined;
  const market = inputs.instanceMarketOptions as { marketType?: string; spotOptions?: Bag } | undefined;
  const spot = market?.spotOptions;
  const metadata = inputs.metadataOptions as Bag | undefined;
  const groups = inputs.vpcSecurityGroupIds as string[] | undefined;
  const isPublic = inputs.associatePublicIpAddress as boolean | undefined;
  const plain = text("userData");
  const volumeTags = (inputs.volumeTags ?? {}) as Record<string, string>;
  return {
    ClientToken: `terraform-${randomUUID()}`,
    MinCount: 1,
    MaxCount: 1,
    ImageId: text("ami"),
    InstanceType: text("instanceType"),
    KeyName: text("keyName"),
    UserData: text("userDataBase64") ?? (plain === undefined ? undefined : Buffer.from(plain).toString("base64")),
    EbsOptimized: inputs.ebsOptimized as boolean | undefined,
    DisableApiTermination: inputs.disableApiTermination as boolean | undefined,
    InstanceInitiatedShutdownBehavior: text("instanceInitiatedShutdownBehavior"),
    Monitoring: inputs.monitoring === undefined ? undefined : { Enabled: inputs.monitoring === true },
    Placement: { AvailabilityZone: text("availabilityZone"), Tenancy: text("tenancy") },
    // An address that is public or not is said of the interface, and then all of the network is.
    ...(isPublic === undefined
      ? { SubnetId: text("subnetId"), SecurityGroupIds: groups, PrivateIpAddress: text("privateIp") }
      : {
          NetworkInterfaces: [
            {
              DeviceIndex: 0,
              AssociatePublicIpAddress: isPublic,
              SubnetId: text("subnetId"),
              Groups: groups,
              PrivateIpAddress: text("privateIp"),
              DeleteOnTermination: true,
            },
          ],
        }),
    MetadataOptions: metadata === undefined ? undefined : metadataRequest(metadata),
    InstanceMarketOptions:
      market === undefined
        ? undefined
        : {
            MarketType: market.marketType as "spot" | undefined,
            SpotOptions:
              spot === undefined
                ? undefined
                : {
                    MaxPrice: spot.maxPrice as string | undefined,
                    SpotInstanceType: spot.spotInstanceType as "one-time" | undefined,
                    InstanceInterruptionBehavior: spot.instanceInterruptionBehavior as "terminate" | undefined,
                  },
          },
    CreditSpecification:
      inputs.creditSpecification === undefined
        ? undefined
        : { CpuCredits: (inputs.creditSpecification as Bag).cpuCredits as string | undefined },
    BlockDeviceMappings: await rootDevice(inputs, context),
    TagSpecifications: [
      ...(tagSpecifications("instance", allTags(inputs, context)) ?? []),
      ...((tagSpecifications("volume", volumeTags) ?? []) as TagSpecification[]),
    ],
  };
}

function metadataRequest(options: Bag) {
  return {
    HttpEndpoint: options.httpEndpoint as "enabled" | undefined,
    HttpTokens: options.httpTokens as "required" | undefined,
    HttpPutResponseHopLimit: options.httpPutResponseHopLimit as number | undefined,
    InstanceMetadataTags: options.instanceMetadataTags as "enabled" | undefined,
  };
}

/** Under the name that the image has for it. */
async function rootDevice(inputs: Bag, context: AwsContext): Promise<BlockDeviceMapping[] | undefined> {
  const root = inputs.rootBlockDevice as Bag | undefined;
  if (root === undefined) return undefined;
  const { Images } = await step("collecting instance settings", "DescribeImages", () =>
    context.client.send(new DescribeImagesCommand({ ImageIds: [inputs.ami as string] })),
  );
  return [
    {
      DeviceName: Images?.[0]?.RootDeviceName,
      Ebs: {
        DeleteOnTermination: root.deleteOnTermination !== false,
        VolumeSize: root.volumeSize as number | undefined,
        VolumeType: root.volumeType as VolumeType | undefined,
        Encrypted: root.encrypted as boolean | undefined,
        Iops: root.iops as number | undefined,
        Throughput: root.throughput as number | undefined,
      },
    },
  ];
}

/** Outputs: what the cloud says; what it does not tell stays as it was said. */
async function outputsOf(found: Instance, said: Bag, context: AwsContext): Promise<Bag> {
  const id = found.InstanceId ?? "";
  const attribute = async <T>(Attribute: "disableApiTermination" | "instanceInitiatedShutdownBehavior", pick: (answer: Bag) => T) =>
    pick((await context.client.send(new DescribeInstanceAttributeCommand({ InstanceId: id, Attribute }))) as unknown as Bag);
  const valueOf = (name: string) => (answer: Bag) => (answer[name] as { Value?: unknown } | undefined)?.Value;
  const volumeId = found.BlockDeviceMappings?.find(({ DeviceName }) => DeviceName === found.RootDeviceName)?.Ebs?.VolumeId;
  const volume = await rootVolume(volumeId ?? found.BlockDeviceMappings?.[0]?.Ebs?.VolumeId, found, said, context);
  const metadata = found.MetadataOptions;
  const isSpot = found.InstanceLifecycle === "spot";
  return {
    ...without(said, ["tags", "tagsAll", "__defaults"]),
    ami: found.ImageId,
    arn: arnOf(context, "instance", id),
    availabilityZone: found.Placement?.AvailabilityZone,
    associatePublicIpAddress: found.PublicIpAddress !== undefined,
    disableApiTermination: (await attribute("disableApiTermination", valueOf("DisableApiTermination"))) ?? false,
    ebsOptimized: found.EbsOptimized ?? false,
    instanceInitiatedShutdownBehavior: await attribute("instanceInitiatedShutdownBehavior", valueOf("InstanceInitiatedShutdownBehavior")),
    instanceLifecycle: isSpot ? "spot" : undefined,
    instanceState: found.State?.Name,
    instanceType: found.InstanceType,
    keyName: found.KeyName,
    metadataOptions: {
      httpEndpoint: metadata?.HttpEndpoint ?? "enabled",
      httpTokens: metadata?.HttpTokens ?? "optional",
      httpPutResponseHopLimit: metadata?.HttpPutResponseHopLimit ?? 1,
      instanceMetadataTags: metadata?.InstanceMetadataTags ?? "disabled",
      httpProtocolIpv6: "disabled",
    },
    monitoring: found.Monitoring?.State === "enabled",
    primaryNetworkInterfaceId: found.NetworkInterfaces?.[0]?.NetworkInterfaceId,
    privateDns: found.PrivateDnsName,
    privateIp: found.PrivateIpAddress,
    publicDns: found.PublicDnsName ?? "",
    publicIp: found.PublicIpAddress ?? "",
    region: context.region,
    rootBlockDevice: volume,
    sourceDestCheck: found.SourceDestCheck ?? true,
    subnetId: found.SubnetId,
    tenancy: found.Placement?.Tenancy ?? "default",
    vpcSecurityGroupIds: groupsOf(found),
    ...tagOutputs(found.Tags, context),
  };
}

function groupsOf(found: Instance): string[] {
  const groups = found.SecurityGroups?.length ? found.SecurityGroups : (found.NetworkInterfaces?.[0]?.Groups ?? []);
  return groups.map(({ GroupId = "" }) => GroupId);
}

async function rootVolume(volumeId: string | undefined, found: Instance, said: Bag, context: AwsContext): Promise<Bag | undefined> {
  const root = said.rootBlockDevice as Bag | undefined;
  if (volumeId === undefined) return root;
  const volume = await unlessGone(async () => (await context.client.send(new DescribeVolumesCommand({ VolumeIds: [volumeId] }))).Volumes?.[0]);
  const device = found.BlockDeviceMappings?.find(({ Ebs }) => Ebs?.VolumeId === volumeId);
  return {
    ...root,
    deleteOnTermination: device?.Ebs?.DeleteOnTermination ?? true,
    deviceName: device?.DeviceName,
    encrypted: volume?.Encrypted ?? false,
    volumeId,
    volumeSize: volume?.Size,
    // Moto forgets the type that was asked for.
    volumeType: root?.volumeType ?? volume?.VolumeType,
  };
}

function without(bag: Bag, names: readonly string[]): Bag {
  return Object.fromEntries(Object.entries(bag).filter(([name]) => !names.includes(name)));
}

async function waitForState(id: string, target: string, sentence: string, seconds: number, context: AwsContext): Promise<Instance | undefined> {
  let last = "";
  try {
    return await waitFor({ target, seconds, lastState: () => last }, context, async () => {
      const found = await find(id, context);
      last = found?.State?.Name ?? "";
      if (target === "running" && (last === "terminated" || last === "shutting-down")) {
        throw new Error(`unexpected state '${last}', wanted target '${target}'. last error: ${found?.StateReason?.Message ?? ""}`);
      }
      return last === target ? found : undefined;
    });
  } catch (error) {
    throw providerError(`${sentence}: ${(error as Error).message}`, error);
  }
}

/** What can be changed without another machine; user data and type only while it is off. */
async function change(id: string, state: Bag, wanted: Bag, changed: readonly string[], context: AwsContext): Promise<void> {
  const modify = (attribute: Bag) =>
    step(`modifying EC2 Instance (${id})`, "ModifyInstanceAttribute", () =>
      context.client.send(new ModifyInstanceAttributeCommand({ InstanceId: id, ...attribute })),
    );
  const off: Bag[] = [];
  for (const name of changed) {
    if (name === "instanceType") off.push({ InstanceType: { Value: wanted.instanceType } });
    else if (name === "userData") off.push({ UserData: { Value: Buffer.from(String(wanted.userData ?? "")) } });
    else if (name === "userDataBase64") off.push({ UserData: { Value: Buffer.from(String(wanted.userDataBase64 ?? ""), "base64") } });
    else if (name === "vpcSecurityGroupIds") await modify({ Groups: wanted.vpcSecurityGroupIds });
    else if (name === "disableApiTermination") await modify({ DisableApiTermination: { Value: wanted.disableApiTermination === true } });
    else if (name === "sourceDestCheck") await modify({ SourceDestCheck: { Value: wanted.sourceDestCheck !== false } });
    else if (name === "instanceInitiatedShutdownBehavior") await modify({ InstanceInitiatedShutdownBehavior: { Value: wanted[name] } });
    else if (name === "metadataOptions") {
      const request = { InstanceId: id, ...metadataRequest({ ...(state.metadataOptions as Bag), ...(wanted.metadataOptions as Bag) }) };
      await step(`updating EC2 Instance (${id}) metadata options`, "ModifyInstanceMetadataOptions", () =>
        context.client.send(new ModifyInstanceMetadataOptionsCommand(request)),
      );
    } else if (!["tags", "volumeTags", "userDataReplaceOnChange", "forceDestroy"].includes(name)) {
      throw providerError(`the double of aws:ec2/instance:Instance can't change ${name} of a machine that is there`);
    }
  }
  if (off.length === 0) return;
  await step(`stopping EC2 Instance (${id})`, "StopInstances", () => context.client.send(new StopInstancesCommand({ InstanceIds: [id] })));
  await waitForState(id, "stopped", `waiting for EC2 Instance (${id}) stop`, createSeconds, context);
  for (const attribute of off) await modify(attribute);
  await step(`starting EC2 Instance (${id})`, "StartInstances", () => context.client.send(new StartInstancesCommand({ InstanceIds: [id] })));
  await waitForState(id, "running", `waiting for EC2 Instance (${id}) start`, createSeconds, context);
}

export const instance: ResourceKind<AwsContext> = {
  source: "https://www.pulumi.com/registry/packages/aws/api-docs/ec2/instance/",
  inputs: instanceInputs,
  computed: instanceComputed,
  alsoReplaces: (changed, wanted) =>
    wanted.userDataReplaceOnChange === true ? changed.filter((name) => name === "userData" || name === "userDataBase64") : [],
  async create(inputs, context) {
    const options = await runOptions(inputs, context);
    const { Instances } = await step("creating EC2 Instance", "RunInstances", () => context.client.send(new RunInstancesCommand(options)));
    const id = Instances?.[0]?.InstanceId ?? "";
    try {
      const running = await waitForState(id, "running", `waiting for EC2 Instance (${id}) create`, createSeconds, context);
      return { id, outputs: await outputsOf(running ?? {}, inputs, context) };
    } catch (cause) {
      throw new MadeButFailed((cause as Error).message, { id, outputs: inputs, cause });
    }
  },
  async read(id, state, context) {
    const found = await find(id, context);
    // "terminated" is gone: internal/service/ec2/find.go, FindInstanceByID.
    if (found === undefined || found.State?.Name === "terminated") return undefined;
    return await outputsOf(found, state, context);
  },
  async update(id, state, wanted, changed, context) {
    await change(id, state, wanted, changed, context);
    await setTags(id, state, wanted, context);
    const found = await find(id, context);
    if (found === undefined) throw providerError(`reading EC2 Instance (${id}): couldn't find resource`);
    if (changed.includes("volumeTags")) {
      const volume = found.BlockDeviceMappings?.[0]?.Ebs?.VolumeId;
      const before = { tagsAll: state.volumeTags ?? {} };
      if (volume !== undefined) await setTags(volume, before, { tags: wanted.volumeTags }, { ...context, defaultTags: {} });
    }
    return await outputsOf(found, { ...state, ...wanted }, context);
  },
  async delete(id, _state, context) {
    try {
      await context.client.send(new TerminateInstancesCommand({ InstanceIds: [id] }));
    } catch (error) {
      if (isNotFound(error)) return;
      await step(`terminating EC2 Instance (${id})`, "TerminateInstances", () => Promise.reject(error as Error));
    }
    let last = "";
    try {
      await waitFor({ target: "terminated", seconds: deleteSeconds, lastState: () => last }, context, async () => {
        last = (await find(id, context))?.State?.Name ?? "terminated";
        return last === "terminated" ? true : undefined;
      });
    } catch (error) {
      throw providerError(`waiting for EC2 Instance (${id}) delete: ${(error as Error).message}`, error);
    }
  },
};
