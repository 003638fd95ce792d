/** What a user writes for machines of AWS and Azure: node pools and burst pools; part of the settings. */
import { z } from "zod";
import { credentialReference, jumpHost } from "../agent/contract/machine.ts";
import { durationQuantity, memoryQuantity } from "../agent/contract/quantities.ts";
import type { Distribution, ImageWish, Market } from "../providers/cloud-machine.ts";
import { credentialOf, type KeyReference, type WrittenSecret } from "../providers/ssh/inventory.ts";
import type { TypeWish } from "../providers/type-wish.ts";
import { readPublicKey } from "./operator-files.ts";
import { hostDefaults, labels, sshPool } from "./pool-settings.ts";

const distributions = ["debian-12", "ubuntu-24.04"] as const satisfies readonly Distribution[];
export const market = z.enum(["on-demand", "spot"]) satisfies z.ZodType<Market>;

/** RFC 4632's form, IPv4 or IPv6; which may not be written is a rule of its own. */
const cidr = z.union([z.cidrv4(), z.cidrv6()], { error: "write a block of addresses, e.g. 203.0.113.7/32" });

const region = z
  .string()
  .regex(/^[a-z][a-z0-9-]{2,40}$/, { message: "write a region as the cloud names it, e.g. eu-central-1 or westeurope" });
const zone = z.string().regex(/^[a-z0-9-]{1,30}$/, { message: "write a zone as the cloud names it, e.g. eu-central-1a, or 1 on Azure" });
const instanceType = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]{2,62}$/, { message: "write a type as the cloud names it, e.g. m7i.large or Standard_D2s_v5" });

const image = z
  .string()
  .transform((text): ImageWish => {
    const known = distributions.find((name) => name === text);
    return known === undefined ? { id: text } : { distribution: known };
  })
  .refine((wish) => "distribution" in wish || /^(ami-[0-9a-f]{8,17}|\/subscriptions\/.+)$/.test(wish.id), {
    message: `write ${distributions.join(" or ")} (the newest one, which is then kept), or an image's id: ami-… or /subscriptions/…`,
  });

/** How any machine of a cloud is made, whatever it is for. */
const common = {
  image: image.prefault("debian-12").describe("debian-12 or ubuntu-24.04: the newest, then kept until upgraded; or an image's id"),
  disk: memoryQuantity
    .refine((mib) => mib >= 8 * 1024 && mib % 1024 === 0, { message: "write whole Gi, at least 8Gi" })
    .prefault("20Gi")
    .describe("its encrypted disk"),
  address: z
    .enum(["public", "private"])
    .default("public")
    .describe("private: reached through a jump host, or from the same network; it needs a way out of your own then"),
  sshFrom: z.array(cidr).default([]).describe("blocks of addresses that may reach it by SSH: your own, e.g. 203.0.113.7/32"),
  key: hostDefaults.key.describe("your private key file (~/… or /…), or agent (default agent)"),
  keyPassphrase: hostDefaults.keyPassphrase,
  join: z
    .enum(["ssh", "cloud-init"])
    .default("ssh")
    .describe(
      "cloud-init: nobody connects to its machines; each is born with what makes it a node, and is replaced where another is mended",
    ),
  authorizedKeys: z
    .array(z.string())
    .min(1, "there must be at least one key, or nobody gets in")
    .optional()
    .describe("public keys that may log in: lines as in authorized_keys, or paths of .pub files (default: the key's own .pub)"),
  jump: hostDefaults.jump,
  labels: labels.default({}).describe("your own keys"),
};

const awsNetwork = z
  .strictObject({
    subnets: z.record(zone, z.string().regex(/^subnet-[0-9a-f]+$/)).describe("zone → id of a subnet there"),
    securityGroups: z.array(z.string().regex(/^sg-[0-9a-f]+$/)).min(1),
  })
  .describe("a network that you have; without it one is made");
const azureNetwork = z
  .strictObject({
    resourceGroup: z.string().min(1).describe("name of the group that gets the machines of node pools"),
    subnet: z.string().startsWith("/subscriptions/"),
    securityGroup: z.string().startsWith("/subscriptions/"),
  })
  .describe("a network that you have; without it one is made");

const cores = z
  .tuple([z.number().nonnegative(), z.number().positive()])
  .refine(([least, most]) => least <= most, { message: "write the smaller number first" });
const memoryRange = z
  .tuple([memoryQuantity, memoryQuantity])
  .refine(([least, most]) => least <= most, { message: "write the smaller first" });

const requirements = {
  cpu: cores.prefault([2, 32]).describe("cores, from and to"),
  memory: memoryRange.optional().describe("from and to: [4Gi, 256Gi]"),
  gpu: z
    .strictObject({ model: z.string().optional(), count: cores.prefault([1, 8]) })
    .optional()
    .describe("without it types with GPUs are left out"),
  names: z.array(z.string()).optional().describe("only types that match one of these: m7i.*, Standard_D*"),
  bareMetal: z.boolean().default(false),
  burstable: z.boolean().default(false).describe("types whose CPU is only lent"),
};
const arch = z.array(z.enum(["x64", "arm64"]));
const types = z
  .strictObject({ ...requirements, arch: arch.min(1).default(["x64", "arm64"]) })
  .prefault({})
  .describe("which types may be bought");
/** Their image must be known before there is a type. */
const nodeTypes = z.strictObject({
  ...requirements,
  arch: arch.length(1, "write one, [x64] or [arm64]: the machines of a node pool start from one image").default(["x64"]),
});

const nodePool = {
  region: region.describe("as the cloud names it: eu-central-1, westeurope"),
  instanceType: instanceType.optional().describe("as the cloud names it: m7i.large, Standard_D2s_v5; bare metal too"),
  types: nodeTypes.optional().describe("instead of instanceType what it must have: the cheapest that fits is chosen once, and kept"),
  count: z.number().int().min(1).max(500).default(1).describe("how many machines"),
  zones: z.array(zone).default([]).describe("over which they are spread (default: the first three)"),
  market: market.default("on-demand").describe("spot machines may be taken away by the cloud"),
  ...common,
  masterFrom: z.array(cidr).default([]).describe("blocks of addresses that may reach the master's port here"),
  bootTimeout: durationQuantity.optional().describe("how long a new machine may take until it answers (default 5m, Azure 10m)"),
  reserve: sshPool.shape.reserve,
};

export const awsPool = z
  .strictObject({ provider: z.literal("aws").describe("machines of AWS"), ...nodePool, network: awsNetwork.optional() })
  .transform(filledNodePool);
export const azurePool = z
  .strictObject({ provider: z.literal("azure").describe("machines of Azure"), ...nodePool, network: azureNetwork.optional() })
  .transform(filledNodePool);
export type AwsPool = z.infer<typeof awsPool>;
export type AzurePool = z.infer<typeof azurePool>;

const burstCommon = {
  regions: z
    .array(region)
    .min(1, "there must be at least one region")
    .max(20)
    .describe("as the cloud names them: [eu-central-1, us-east-1]"),
  market: z.array(market).min(1).default(["spot", "on-demand"]).describe("which may be bought; the cheapest counts"),
  types,
  ...common,
  keyPassphrase: hostDefaults.keyPassphrase
    .refine((secret) => secret === undefined || secret.kind === "file", {
      message: "must be file:~/PATH for bursts: the burster has nobody to ask and none of your variables",
    })
    .describe("the file that holds the passphrase of an encrypted key: file:~/PATH"),
  maxNodes: z.number().int().min(0).max(1000).default(100).describe("machines of this pool that may exist at a time"),
};

export const awsBurstPool = z
  .strictObject({
    provider: z.literal("aws").describe("machines of AWS"),
    ...burstCommon,
    networks: z.record(region, awsNetwork).default({}).describe("networks that you have, by region; others are made"),
    launchTimeout: atLeast("3m"),
  })
  .transform(filledCloud);
export const azureBurstPool = z
  .strictObject({
    provider: z.literal("azure").describe("machines of Azure"),
    ...burstCommon,
    networks: z.record(region, azureNetwork).default({}).describe("networks that you have, by region; others are made"),
    launchTimeout: atLeast("8m"),
  })
  .transform(filledCloud);

function atLeast(otherwise: string) {
  return durationQuantity
    .prefault(otherwise)
    .refine((ms) => ms >= 10_000, { message: "must be at least 10s" })
    .describe("a launch that takes longer has failed");
}

interface WrittenAccess {
  readonly join: "ssh" | "cloud-init";
  readonly key?: KeyReference | undefined;
  readonly keyPassphrase?: WrittenSecret | undefined;
  readonly authorizedKeys?: readonly string[] | undefined;
  readonly disk: number;
}

interface WrittenNodePool extends WrittenAccess {
  readonly provider: string;
  readonly bootTimeout?: number | undefined;
  readonly instanceType?: string | undefined;
  readonly types?: TypeWish | undefined;
}

function filledNodePool<T extends WrittenNodePool>(written: T, context: z.RefinementCtx) {
  const { instanceType: type, types: wish } = written;
  if (type === undefined && wish === undefined)
    context.addIssue({
      code: "custom",
      path: ["instanceType"],
      message: "is missing: a type as the cloud names it, e.g. m7i.large; or write types: what it must have, e.g. { cpu: [4, 8] }",
    });
  if (type !== undefined && wish !== undefined)
    context.addIssue({ code: "custom", path: ["types"], message: "stands beside instanceType: write one of the two" });
  const { bootTimeout, ...pool } = filledCloud(written, context);
  return { ...pool, bootTimeoutMs: bootTimeout ?? (written.provider === "aws" ? 300_000 : 600_000) };
}

/** The login's reference, and the public keys as lines. */
function filledCloud<T extends WrittenAccess>(written: T, context: z.RefinementCtx) {
  const { key = { kind: "agent" }, keyPassphrase, authorizedKeys, disk, ...pool } = written;
  return {
    ...pool,
    diskGiB: disk / 1024,
    credential: credentialOf(key, keyPassphrase),
    // Who writes none can't get in, and need not.
    authorizedKeys: pool.join === "cloud-init" && authorizedKeys === undefined ? [] : publicKeys(key, authorizedKeys, context),
  };
}

function publicKeys(key: KeyReference, written: readonly string[] | undefined, context: z.RefinementCtx): string[] {
  const refuse = (message: string) => {
    context.addIssue({ code: "custom", path: ["authorizedKeys"], message });
    return z.NEVER;
  };
  if (written === undefined && key.kind === "agent")
    return refuse("is missing: with key: agent write the public key (a line, or the path of its .pub file)");
  try {
    return (written ?? [key.kind === "file" ? `${key.path}.pub` : ""]).map((one) =>
      /^(~\/|\/)/.test(one) ? readPublicKey(one) : lineOf(one),
    );
  } catch (error) {
    return refuse((error as Error).message);
  }
}

function lineOf(text: string): string {
  if (/^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-[a-z0-9@.-]+) [A-Za-z0-9+/=]+( .*)?$/.test(text)) return text;
  throw new Error("write a public key's line (ssh-ed25519 AAAA…), or the path of its .pub file (~/… or /…)");
}

const numbers = z.tuple([z.number(), z.number()]);
/** Which types may be bought or chosen: cores, MiB, GPUs; both ends count. */
export const typeWish = z.object({
  cpu: numbers,
  memory: numbers.optional(),
  gpu: z.object({ model: z.string().optional(), count: numbers }).optional(),
  arch: z.array(z.enum(["x64", "arm64"])),
  names: z.array(z.string()).optional(),
  bareMetal: z.boolean(),
  burstable: z.boolean(),
});

/** A burst pool of a cloud with everything filled in, as it travels through Pulumi's inputs to the burster's configuration file. */
const filledBurst = {
  regions: z.array(z.string()),
  market: z.array(market),
  types: typeWish,
  image: z.union([z.object({ distribution: z.enum(distributions) }), z.object({ id: z.string() })]),
  diskGiB: z.number(),
  address: z.enum(["public", "private"]),
  credential: credentialReference,
  authorizedKeys: z.array(z.string()),
  join: z.enum(["ssh", "cloud-init"]).default("ssh"),
  jump: jumpHost.optional(),
  labels,
  maxNodes: z.number().int().nonnegative(),
  launchTimeoutMs: z.number().int().positive(),
  networks: z
    .record(
      z.string(),
      z.object({
        subnets: z.record(z.string(), z.string()).optional(),
        securityGroups: z.array(z.string()).optional(),
        resourceGroup: z.string().optional(),
        subnet: z.string().optional(),
        securityGroup: z.string().optional(),
      }),
    )
    .describe("by region; which ids there are is the cloud's own"),
  sshFrom: z.array(z.string()),
};
export const filledAwsBurstPool = z.object({
  provider: z.literal("aws"),
  ...filledBurst,
});
export const filledAzureBurstPool = z.object({
  provider: z.literal("azure"),
  ...filledBurst,
});
export type CloudBurstPool = z.infer<typeof filledAwsBurstPool> | z.infer<typeof filledAzureBurstPool>;
