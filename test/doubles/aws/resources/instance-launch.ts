/** RunInstances as Pulumi's AWS provider calls it: Terraform provider, internal/service/ec2/ec2_instance.go, buildInstanceOpts. */
import { randomUUID } from "node:crypto";
import {
  type _InstanceType,
  type BlockDeviceMapping,
  DescribeImagesCommand,
  type RunInstancesCommandInput,
  type VolumeType,
} from "@aws-sdk/client-ec2";
import type { Bag } from "../../input-facts.ts";
import { type AwsContext, allTags, step, tagSpecifications } from "../api.ts";

/** What RunInstances is asked for these inputs, as the provider asks it. */
export async function launchRequest(inputs: Bag, context: AwsContext): Promise<RunInstancesCommandInput> {
  const text = (name: string) => inputs[name] as string | undefined;
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
    InstanceType: inputs.instanceType as _InstanceType | undefined,
    KeyName: text("keyName"),
    UserData: text("userDataBase64") ?? (plain === undefined ? undefined : Buffer.from(plain).toString("base64")),
    EbsOptimized: inputs.ebsOptimized as boolean | undefined,
    DisableApiTermination: inputs.disableApiTermination as boolean | undefined,
    InstanceInitiatedShutdownBehavior: inputs.instanceInitiatedShutdownBehavior as "stop" | undefined,
    Monitoring: inputs.monitoring === undefined ? undefined : { Enabled: inputs.monitoring === true },
    Placement: { AvailabilityZone: text("availabilityZone"), Tenancy: inputs.tenancy as "default" | undefined },
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
      ...(tagSpecifications("volume", volumeTags) ?? []),
    ],
  };
}

export function metadataRequest(options: Bag) {
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
