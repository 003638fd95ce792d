/** A machine of AWS: one EC2 instance, and an Elastic IP where its address has to stay. */
import { hash } from "node:crypto";
import { Eip } from "@pulumi/aws/ec2/eip.js";
import { EipAssociation } from "@pulumi/aws/ec2/eipAssociation.js";
import { Instance, type InstanceArgs } from "@pulumi/aws/ec2/instance.js";
import * as pulumi from "@pulumi/pulumi";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { byType } from "../by-type.ts";
import { type CloudIdentity, type CloudMachineSpec, type MadeCloudMachine, tagsOf } from "../cloud-machine.ts";
import { awsImage } from "./image.ts";
import { awsRegion } from "./region.ts";

export interface AwsInstanceSpec extends CloudMachineSpec {
  readonly identity: CloudIdentity;
  readonly network: {
    readonly subnets: pulumi.Input<Record<string, pulumi.Input<string>>>;
    readonly securityGroupIds: pulumi.Input<pulumi.Input<string>[]>;
  };
}

/** A whole host tests its hardware before it starts; the provider would give up after 10 minutes. */
const bareMetalTimeout = "30m";

/**
 * Makes it. Its tags are part of the one call that makes it and its disk, so that there is no moment in which it is nobody's.
 *
 * RunInstances is not idempotent over a crash: the provider's client token is random for each attempt
 * (`ClientToken: id.UniqueId()` in terraform-provider-aws, internal/service/ec2/ec2_instance.go), and it records the
 * instance only once it runs. An engine that dies in between leaves a machine that is found by its tags and nowhere else.
 *
 * Rejects with `aws-zone-without-subnet` when the network has no subnet in the zone.
 */
export function makeAwsInstance(spec: AwsInstanceSpec, options: pulumi.CustomResourceOptions): MadeCloudMachine {
  const { identity, region, address } = spec;
  const { import: found, ...others } = awsRegion(region, options);
  const instance = new Instance(identity.name, instanceArgs(spec, others), {
    ...others,
    ...(found === undefined ? {} : { import: found }),
    ...(isBareMetal(spec) && others.customTimeouts === undefined ? { customTimeouts: { create: bareMetalTimeout } } : {}),
    ignoreChanges: [...(others.ignoreChanges ?? []), ...settledAtBirth(spec)],
    additionalSecretOutputs: [...(others.additionalSecretOutputs ?? []), "userData", "userDataBase64"],
  });
  const made = { providerId: instance.id, privateHost: instance.privateIp, zone: instance.availabilityZone };
  if (address !== "fixed") {
    // AWS says "" for an address that a machine has not got.
    const host = pulumi
      .all([instance.publicIp, instance.privateIp])
      .apply(([outside, inside]) => (outside === "" ? inside : (outside ?? inside)));
    return { ...made, resource: instance, host: address === "public" ? host : instance.privateIp };
  }
  const addressName = `${identity.name}-address`;
  const fixed = new Eip(addressName, { domain: "vpc", tags: { ...tagsOf(identity), Name: addressName } }, others);
  const association = new EipAssociation(addressName, { allocationId: fixed.id, instanceId: instance.id }, others);
  return { ...made, resource: association, host: pulumi.all([fixed.publicIp, association.id]).apply(([ip]) => ip) };
}

function instanceArgs(spec: AwsInstanceSpec, options: pulumi.CustomResourceOptions): InstanceArgs {
  const { identity, network, instanceType, market, maxSpotPrice, address, diskGiB, userData } = spec;
  const tags = { ...tagsOf(identity), Name: identity.name };
  return {
    ami: awsImage(spec, options),
    instanceType,
    subnetId: pulumi.output(network.subnets).apply((subnets) => subnetOf(spec, subnets)),
    vpcSecurityGroupIds: network.securityGroupIds,
    // Without it a machine with a fixed address would have no way out until that hangs on it.
    associatePublicIpAddress: address !== "private",
    // Session tokens only, and no router or container in between: what a task is tricked into fetching can't read user data.
    metadataOptions: { httpEndpoint: "enabled", httpTokens: "required", httpPutResponseHopLimit: 1, instanceMetadataTags: "disabled" },
    rootBlockDevice: { volumeType: "gp3", volumeSize: diskGiB, encrypted: true, deleteOnTermination: true },
    instanceInitiatedShutdownBehavior: shutdownBehavior(spec),
    userDataBase64: pulumi.secret(pulumi.output(userData).apply((text) => Buffer.from(text, "utf8").toString("base64"))),
    userDataReplaceOnChange: false,
    tags,
    // A root block's own tags would come in a later call, and a crash between the two would leave a disk that is nobody's.
    volumeTags: tags,
    creditSpecification: byType(instanceType, (type) => (isBurstable(type) ? { cpuCredits: "standard" } : undefined)),
    ...(market === "spot" ? { instanceMarketOptions: spotOptions(maxSpotPrice) } : {}),
  };
}

/** A burst that is shut down is over. A node pool's machine stays with its disk, but a one-time spot machine can't be stopped. */
function shutdownBehavior({ identity, market }: AwsInstanceSpec): "terminate" | "stop" {
  return identity.burst !== undefined || market === "spot" ? "terminate" : "stop";
}

function spotOptions(maxSpotPrice: number | undefined) {
  return {
    marketType: "spot",
    spotOptions: {
      spotInstanceType: "one-time",
      instanceInterruptionBehavior: "terminate",
      ...(maxSpotPrice === undefined ? {} : { maxPrice: usdText(maxSpotPrice) }),
    },
  };
}

/** A price as AWS reads it: no exponent, and rounded down, since it is a limit. */
function usdText(usd: number): string {
  return (Math.floor(usd * 1e6 + 1e-6) / 1e6).toFixed(6);
}

/**
 * What a machine that is there keeps, whatever the settings or AWS say later; each of them would make it anew:
 * - the image and the user data, which were for its birth;
 * - the public address, which a stopped machine has not got;
 * - its disk's tags, which the provider does not read of a machine that is imported: an import whose inputs differ from what was
 *   read fails, and the run after it would write them;
 * - the highest price, which only counts when it is bought;
 * - the subnet, where it was ours to choose.
 */
function settledAtBirth({ market, zone }: AwsInstanceSpec): string[] {
  return [
    "ami",
    "userData",
    "userDataBase64",
    "associatePublicIpAddress",
    "volumeTags",
    ...(market === "spot" ? ["instanceMarketOptions.spotOptions.maxPrice"] : []),
    ...(zone === undefined ? ["subnetId"] : []),
  ];
}

/** The zone's; without a zone one by the machine's name, so that machines spread and each keeps its own. */
export function subnetOf(
  { zone, identity, region }: Pick<AwsInstanceSpec, "zone" | "identity" | "region">,
  subnets: Readonly<Record<string, string>>,
): string {
  const zones = Object.keys(subnets).toSorted();
  const chosen = zone ?? zones[Number.parseInt(hash("sha256", identity.name).slice(0, 8), 16) % zones.length];
  const subnet = chosen === undefined ? undefined : subnets[chosen];
  if (subnet !== undefined) return subnet;
  throw new SpillwayError(zone === undefined ? "its network has no subnet" : `its network has no subnet in the zone ${zone}`, {
    code: "aws-zone-without-subnet",
    where: `machine ${identity.name}`,
    hint: `Zones with a subnet in ${region}: ${zones.length === 0 ? "none" : zones.join(", ")}. Choose one of them, or add the zone to the network's.`,
  });
}

function isBareMetal({ instanceType, mayBeBareMetal = false }: AwsInstanceSpec): boolean {
  return typeof instanceType === "string" ? instanceType.includes(".metal") : mayBeBareMetal;
}

/** The T types, which start out as `unlimited`: beyond their base line AWS would bill CPU that no offer's price holds. */
function isBurstable(instanceType: string): boolean {
  return /^t\d/.test(instanceType);
}
