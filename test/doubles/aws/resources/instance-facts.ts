/** Inputs of an Instance that the double knows, with what of them means another machine: see instance.ts for the sources. */
import type { InputFacts } from "../../input-facts.ts";
import { regionInput, tagsInput } from "../api.ts";

const rootBlockDevice: InputFacts = {
  deleteOnTermination: { type: "boolean", default: true },
  encrypted: { type: "boolean", computed: true, replaces: true },
  iops: { type: "number", computed: true },
  throughput: { type: "number", computed: true },
  volumeSize: { type: "number", computed: true },
  volumeType: { type: "string", computed: true, oneOf: ["standard", "gp2", "gp3", "io1", "io2", "sc1", "st1"] },
};

const metadataOptions: InputFacts = {
  httpEndpoint: { type: "string", computed: true, oneOf: ["enabled", "disabled"] },
  httpTokens: { type: "string", computed: true, oneOf: ["optional", "required"] },
  httpPutResponseHopLimit: { type: "number", computed: true, check: hopLimit },
  instanceMetadataTags: { type: "string", computed: true, oneOf: ["enabled", "disabled"] },
};

const spotOptions: InputFacts = {
  instanceInterruptionBehavior: { type: "string", computed: true, oneOf: ["hibernate", "stop", "terminate"], replaces: true },
  maxPrice: { type: "string", computed: true, replaces: true },
  spotInstanceType: { type: "string", computed: true, oneOf: ["one-time", "persistent"], replaces: true },
};

const marketOptions: InputFacts = {
  marketType: { type: "string", computed: true, oneOf: ["spot"], replaces: true },
  spotOptions: { type: "object", of: spotOptions, computed: true, replaces: true },
};

export const instanceInputs: InputFacts = {
  ami: { type: "string", required: true, computed: true, replaces: true },
  associatePublicIpAddress: { type: "boolean", computed: true, replaces: true },
  availabilityZone: { type: "string", computed: true, replaces: true },
  creditSpecification: { type: "object", of: { cpuCredits: { type: "string", oneOf: ["standard", "unlimited"] } }, computed: true },
  disableApiTermination: { type: "boolean", computed: true },
  ebsOptimized: { type: "boolean", computed: true, replaces: true },
  forceDestroy: { type: "boolean", default: false },
  instanceInitiatedShutdownBehavior: { type: "string", computed: true, oneOf: ["stop", "terminate"] },
  instanceMarketOptions: { type: "object", of: marketOptions, computed: true, replaces: true },
  instanceType: { type: "string", required: true, computed: true },
  keyName: { type: "string", computed: true, replaces: true },
  metadataOptions: { type: "object", of: metadataOptions, computed: true },
  monitoring: { type: "boolean", computed: true },
  privateIp: { type: "string", computed: true, replaces: true },
  region: regionInput,
  rootBlockDevice: { type: "object", of: rootBlockDevice, computed: true },
  sourceDestCheck: { type: "boolean", default: true },
  subnetId: { type: "string", computed: true, replaces: true },
  tags: tagsInput,
  tenancy: { type: "string", computed: true, oneOf: ["default"], replaces: true },
  // "validation.StringLenBetween(0, 16384)", and EC2's own limit: 16 KB before it is encoded (user guide, "User data").
  userData: { type: "string", computed: true, check: shortEnough },
  userDataBase64: { type: "string", computed: true, check: base64 },
  userDataReplaceOnChange: { type: "boolean", default: false },
  volumeTags: tagsInput,
  vpcSecurityGroupIds: { type: "strings", computed: true },
};

export const instanceComputed: readonly string[] = [
  "arn",
  "associatePublicIpAddress",
  "availabilityZone",
  "disableApiTermination",
  "ebsOptimized",
  "instanceInitiatedShutdownBehavior",
  "instanceLifecycle",
  "instanceState",
  "metadataOptions",
  "monitoring",
  "primaryNetworkInterfaceId",
  "privateDns",
  "privateIp",
  "publicDns",
  "publicIp",
  "region",
  "rootBlockDevice",
  "subnetId",
  "tagsAll",
  "tenancy",
  "vpcSecurityGroupIds",
];

const maxUserDataBytes = 16_384;

function shortEnough(value: unknown): string | undefined {
  const bytes = Buffer.byteLength(String(value));
  return bytes > maxUserDataBytes ? `expected length of user_data to be in the range (0 - ${maxUserDataBytes}), got ${bytes}` : undefined;
}

function base64(value: unknown): string | undefined {
  const bytes = Buffer.from(String(value), "base64");
  if (bytes.toString("base64").replace(/=+$/, "") !== String(value).replace(/=+$/, "")) return "user_data_base64: must be base64-encoded";
  return bytes.length > maxUserDataBytes ? `User data is limited to ${maxUserDataBytes} bytes` : undefined;
}

function hopLimit(value: unknown): string | undefined {
  const hops = Number(value);
  return hops >= 1 && hops <= 64 ? undefined : `expected http_put_response_hop_limit to be in the range (1 - 64), got ${hops}`;
}
