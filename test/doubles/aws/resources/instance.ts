/**
 * Instance. Inputs and defaults: @pulumi/aws 7.48 `ec2/instance.d.ts` and `types/input.d.ts`; ForceNew, time limits (create
 * 10 min, delete 20 min) and the order of calls: Terraform provider, internal/service/ec2/ec2_instance.go.
 */
import {
  DescribeInstanceAttributeCommand,
  DescribeInstancesCommand,
  DescribeVolumesCommand,
  type Instance,
  ModifyInstanceAttributeCommand,
  ModifyInstanceMetadataOptionsCommand,
  RunInstancesCommand,
  StartInstancesCommand,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import type { Bag } from "../../input-facts.ts";
import { MadeButFailed, type ResourceKind } from "../../plugin-server.ts";
import { type AwsContext, arnOf, isNotFound, providerError, setTags, step, tagOutputs, unlessGone, waitFor } from "../api.ts";
import { instanceComputed, instanceInputs } from "./instance-facts.ts";
import { launchRequest, metadataRequest } from "./instance-launch.ts";

const createSeconds = 600;
const deleteSeconds = 1200;

async function find(id: string, context: AwsContext): Promise<Instance | undefined> {
  const request = new DescribeInstancesCommand({ InstanceIds: [id] });
  return await unlessGone(async () => (await context.client.send(request)).Reservations?.[0]?.Instances?.[0]);
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
  const volume = await unlessGone(
    async () => (await context.client.send(new DescribeVolumesCommand({ VolumeIds: [volumeId] }))).Volumes?.[0],
  );
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

async function waitForState(
  id: string,
  target: string,
  sentence: string,
  seconds: number,
  context: AwsContext,
): Promise<Instance | undefined> {
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
  await step(`starting EC2 Instance (${id})`, "StartInstances", () =>
    context.client.send(new StartInstancesCommand({ InstanceIds: [id] })),
  );
  await waitForState(id, "running", `waiting for EC2 Instance (${id}) start`, createSeconds, context);
}

export const instance: ResourceKind<AwsContext> = {
  source: "https://www.pulumi.com/registry/packages/aws/api-docs/ec2/instance/",
  inputs: instanceInputs,
  computed: instanceComputed,
  alsoReplaces: (changed, wanted) =>
    wanted.userDataReplaceOnChange === true ? changed.filter((name) => name === "userData" || name === "userDataBase64") : [],
  async create(inputs, context) {
    const options = await launchRequest(inputs, context);
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
  async delete(id, state, context) {
    try {
      // "Destroys instance even if `disableApiTermination` … is set" (docs of forceDestroy).
      if (state.forceDestroy === true) {
        await context.client.send(new ModifyInstanceAttributeCommand({ InstanceId: id, DisableApiTermination: { Value: false } }));
      }
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
