/**
 * The instance metadata service at 169.254.169.254, answering by the source address. All paths and answers as in the EC2 user
 * guide: "Use IMDS" (token PUT, TTL 1–21600 s, 400/401/403/404), "Instance metadata categories", "Spot Instance interruption
 * notices" (`spot/instance-action`, `spot/termination-time`), "EC2 instance rebalance recommendations", "Instance identity
 * documents" (document, base64 `signature` RSA-SHA256, PKCS#7 `rsa2048`).
 */
import { randomBytes } from "node:crypto";
import type { Instance } from "@aws-sdk/client-ec2";
import type { MetadataAnswer, MetadataHandler, MetadataRequest } from "../cloud-hosts.ts";
import { type IdentitySigner, identitySigner } from "./identity-signature.ts";

export interface MetadataInstance {
  readonly id: string;
  readonly region: string;
  readonly description: Instance;
  readonly host: { readonly address: string };
  readonly publicAddress: string | undefined;
  /** ms since the epoch. */
  readonly bootedAt: number;
}

interface Announced {
  /** ms since the epoch. */
  readonly takenAt?: number;
  readonly rebalanceAt?: number;
}

export interface MetadataService {
  readonly handle: MetadataHandler;
  announce(instanceId: string, what: Announced): void;
  /** The certificate (PEM) that documents are signed with: the double's own, not AWS'. */
  readonly certificate: string;
  close(): Promise<void>;
}

interface MetadataSource {
  readonly instances: () => readonly MetadataInstance[];
  readonly account: string;
  /** For the signing key; the system's temporary one when not given. */
  readonly directory: string | undefined;
}

const maxTokenSeconds = 21_600;

export async function instanceMetadata({ instances, account, directory }: MetadataSource): Promise<MetadataService> {
  const tokens = new Map<string, { readonly instanceId: string; readonly until: number }>();
  const announced = new Map<string, Announced>();
  const signer = await identitySigner(directory);

  const handle: MetadataHandler = async (request) => {
    const instance = instances().find(({ host, publicAddress }) => host.address === request.source || publicAddress === request.source);
    if (instance === undefined) return told(404, `no instance has the address ${request.source}`);
    const options = instance.description.MetadataOptions;
    if (options?.HttpEndpoint === "disabled") return told(403);
    if (request.method === "PUT") return newToken(request, instance.id, tokens);
    if (request.method !== "GET") return told(405);
    const token = request.headers["x-aws-ec2-metadata-token"];
    const known = token === undefined ? undefined : tokens.get(token);
    const valid = known !== undefined && known.instanceId === instance.id && known.until > Date.now();
    // A wrong token is refused even where none is needed.
    if (!valid && (token !== undefined || options?.HttpTokens === "required")) return told(401);
    return await categoryOf({ instance, announced: announced.get(instance.id) ?? {}, account, signer }, request.path);
  };
  return {
    handle,
    certificate: signer.certificate,
    announce: (instanceId, what) => void announced.set(instanceId, { ...announced.get(instanceId), ...what }),
    close: signer.close,
  };
}

function newToken(
  request: MetadataRequest,
  instanceId: string,
  tokens: Map<string, { instanceId: string; until: number }>,
): MetadataAnswer {
  if (!/^\/latest\/api\/token\/?$/.test(request.path)) return told(404);
  // A proxy that adds it stands between: the service refuses to hand out a token through it.
  if (request.headers["x-forwarded-for"] !== undefined) return told(403);
  const ttl = Number(request.headers["x-aws-ec2-metadata-token-ttl-seconds"]);
  if (!Number.isInteger(ttl) || ttl < 1 || ttl > maxTokenSeconds) return told(400);
  const token = randomBytes(40).toString("base64url");
  tokens.set(token, { instanceId, until: Date.now() + ttl * 1000 });
  return { status: 200, body: token, headers: { "x-aws-ec2-metadata-token-ttl-seconds": String(ttl) } };
}

interface Subject {
  readonly instance: MetadataInstance;
  readonly announced: Announced;
  readonly account: string;
  readonly signer: IdentitySigner;
}

async function categoryOf(subject: Subject, path: string): Promise<MetadataAnswer> {
  const [, version = "", rest = ""] = /^\/(latest|20\d\d-\d\d-\d\d|1\.0)\/?(.*)$/.exec(path) ?? [];
  if (version === "") return told(404);
  if (rest === "") return told(200, "dynamic\nmeta-data\nuser-data");
  if (rest.startsWith("dynamic/instance-identity")) return await identityOf(subject, rest.slice("dynamic/instance-identity".length));
  if (rest !== "meta-data" && !rest.startsWith("meta-data/")) return told(404);
  const values = metadataOf(subject);
  const name = rest.replace(/^meta-data\/?/, "").replace(/\/$/, "");
  const value = values[name];
  if (value !== undefined) return told(200, value);
  // A directory lists what is below it; a name with more below it ends in a slash.
  const below = Object.keys(values).filter((key) => name === "" || key.startsWith(`${name}/`));
  if (below.length === 0) return told(404);
  const start = name === "" ? 0 : name.length + 1;
  const listed = below.map((key) => key.slice(start)).map((key) => (key.includes("/") ? key.slice(0, key.indexOf("/") + 1) : key));
  return told(200, [...new Set(listed)].toSorted().join("\n"));
}

/** Category → text, without those that an instance of this kind does not have: asked for, they are 404. */
function metadataOf({ instance, announced }: Subject): Record<string, string> {
  const { description, host, publicAddress, region, id } = instance;
  const network = description.NetworkInterfaces?.[0];
  const spot = description.InstanceLifecycle === "spot";
  const values: Record<string, string | undefined> = {
    "ami-id": description.ImageId,
    "ami-launch-index": String(description.AmiLaunchIndex ?? 0),
    hostname: description.PrivateDnsName,
    "instance-action": "none",
    "instance-id": id,
    "instance-life-cycle": spot ? "spot" : "on-demand",
    "instance-type": description.InstanceType,
    "local-hostname": description.PrivateDnsName,
    "local-ipv4": host.address,
    mac: network?.MacAddress,
    "placement/availability-zone": description.Placement?.AvailabilityZone,
    "placement/region": region,
    "public-hostname": publicAddress === undefined ? undefined : description.PublicDnsName,
    "public-ipv4": publicAddress,
    "reservation-id": undefined,
    "security-groups": description.SecurityGroups?.map(({ GroupName }) => GroupName).join("\n"),
    "services/domain": "amazonaws.com",
    "services/partition": "aws",
  };
  if (description.MetadataOptions?.InstanceMetadataTags === "enabled") {
    for (const { Key, Value } of description.Tags ?? []) values[`tags/instance/${Key}`] = Value;
  }
  if (spot && announced.takenAt !== undefined) {
    const time = seconds(announced.takenAt);
    values["spot/instance-action"] = JSON.stringify({ action: "terminate", time });
    values["spot/termination-time"] = time;
  }
  if (announced.rebalanceAt !== undefined) {
    values["events/recommendations/rebalance"] = JSON.stringify({ noticeTime: seconds(announced.rebalanceAt) });
  }
  return Object.fromEntries(Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined));
}

async function identityOf({ instance, account, signer }: Subject, rest: string): Promise<MetadataAnswer> {
  const { description, host, region, id, bootedAt } = instance;
  // Keys in the order that the user guide shows; the text is what is signed.
  const document = JSON.stringify(
    {
      accountId: account,
      architecture: description.Architecture,
      availabilityZone: description.Placement?.AvailabilityZone,
      billingProducts: null,
      devpayProductCodes: null,
      marketplaceProductCodes: null,
      imageId: description.ImageId,
      instanceId: id,
      instanceType: description.InstanceType,
      kernelId: null,
      pendingTime: seconds(bootedAt),
      privateIp: host.address,
      ramdiskId: null,
      region,
      version: "2017-09-30",
    },
    undefined,
    2,
  );
  switch (rest.replaceAll("/", "")) {
    case "":
      return told(200, "document\nrsa2048\nsignature");
    case "document":
      return told(200, document);
    case "signature":
      return told(200, signer.signature(document));
    case "rsa2048":
      return told(200, await signer.pkcs7(document));
    default:
      return told(404);
  }
}

/** As the service writes times: `2026-01-31T23:59:59Z`. */
function seconds(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, "Z");
}

function told(status: number, body = ""): MetadataAnswer {
  return { status, body, headers: { "content-type": "text/plain", server: "EC2ws" } };
}
