/**
 * Azure's instance metadata service at 169.254.169.254, answering by the source address. Paths, headers, versions and answers as in
 * "Azure Instance Metadata Service" (instance, attested data), "Scheduled Events for Linux VMs" and "How to use managed identities …
 * to acquire an access token".
 */
import { randomBytes, randomUUID } from "node:crypto";
import type { MetadataAnswer, MetadataHandler, MetadataRequest } from "../cloud-hosts.ts";
import type { AttestedDataSigner } from "./attested-data.ts";
import type { Held } from "./resources.ts";

export interface MetadataMachine {
  readonly vmId: string;
  readonly description: Held;
  readonly host: { readonly address: string };
  readonly publicAddress: string | undefined;
}

export interface AzureMetadata {
  readonly handle: MetadataHandler;
  /** A spot machine is taken back then, ms since the epoch. */
  announcePreempt(vmId: string, at: number): void;
  /** Whose token it is: the object id of a machine's identity. */
  principalOf(token: string): string | undefined;
}

interface Source {
  readonly machines: () => readonly MetadataMachine[];
  readonly signer: AttestedDataSigner;
  /** What is asked past the metadata, by a machine. */
  readonly others: MetadataHandler;
}

interface Event {
  readonly id: string;
  readonly at: number;
}

/** Seconds for which a token is good. */
const tokenSeconds = 86_399;
const management = /^https:\/\/management\.(azure\.com|core\.windows\.net)\/?$/;

export function azureMetadata({ machines, signer, others }: Source): AzureMetadata {
  const events = new Map<string, Event>();
  const principals = new Map<string, string>();

  const handle: MetadataHandler = async (request) => {
    const machine = machines().find(({ host, publicAddress }) => host.address === request.source || publicAddress === request.source);
    if (machine === undefined) return told(404, { error: `no machine has the address ${request.source}` });
    const { pathname, searchParams: query } = new URL(request.path, "http://169.254.169.254");
    if (!pathname.startsWith("/metadata/")) return await others(request);
    const refusal = refusalOf(request, query);
    if (refusal !== undefined) return refusal;
    const path = pathname.replace(/^\/metadata\//, "").replace(/\/$/, "");
    if (path === "instance" || path.startsWith("instance/")) return instanceOf(machine, path.slice("instance".length + 1), query);
    if (path === "scheduledevents") return scheduledEvents(machine, events.get(machine.vmId));
    if (path === "attested/document") return await attested(machine, query, signer);
    if (path === "identity/oauth2/token") return tokenFor(machine, query, principals);
    return told(404, { error: "Not found" });
  };
  return {
    handle,
    announcePreempt: (vmId, at) => void events.set(vmId, { id: randomUUID().toUpperCase(), at }),
    principalOf: (token) => principals.get(token),
  };
}

/** "Requests must contain the header Metadata: true, and must not contain an X-Forwarded-For header." */
function refusalOf({ method, headers }: MetadataRequest, query: URLSearchParams): MetadataAnswer | undefined {
  if (method !== "GET") return told(405, { error: "Method not allowed" });
  if (headers.metadata?.toLowerCase() !== "true" || headers["x-forwarded-for"] !== undefined)
    return told(400, { error: "Bad request. Required metadata header not specified or not correct" });
  if (!/^20\d\d-\d\d-\d\d$/.test(query.get("api-version") ?? ""))
    return told(400, {
      error: "Bad request. api-version was not specified in the request. For more information refer to aka.ms/azureimds",
      "newest-versions": ["2021-02-01"],
    });
  return undefined;
}

/** "format=text needs to be explicitly specified" for a leaf, and a list of names is what text of anything else would be. */
function instanceOf(machine: MetadataMachine, path: string, query: URLSearchParams): MetadataAnswer {
  let value: unknown = instanceDocument(machine);
  for (const name of path.split("/").filter((each) => each !== "")) value = (value as Record<string, unknown> | undefined)?.[name];
  if (value === undefined) return told(404, { error: "Not found" });
  if (typeof value === "object") return told(200, value as object);
  if (query.get("format") !== "text") return told(400, { error: "Bad request. Format 'json' is not supported for leaf nodes" });
  return { status: 200, body: String(value), headers: { "content-type": "text/plain; charset=utf-8" } };
}

function instanceDocument({ description, vmId, host }: MetadataMachine): object {
  const { id, name, location, tags = {}, zones, properties = {} } = description;
  const { hardwareProfile, osProfile, priority, evictionPolicy } = properties as {
    hardwareProfile?: { vmSize?: string };
    osProfile?: { adminUsername?: string; computerName?: string };
    priority?: string;
    evictionPolicy?: string;
  };
  return {
    compute: {
      azEnvironment: "AzurePublicCloud",
      evictionPolicy: evictionPolicy ?? "",
      location,
      name,
      osProfile: { adminUsername: osProfile?.adminUsername, computerName: osProfile?.computerName, disablePasswordAuthentication: "true" },
      osType: "Linux",
      priority: priority ?? "Regular",
      provider: "Microsoft.Compute",
      resourceGroupName: id.split("/")[4],
      resourceId: id,
      subscriptionId: id.split("/")[2],
      tags: Object.entries(tags)
        .map(([key, value]) => `${key}:${value}`)
        .join(";"),
      tagsList: Object.entries(tags).map(([key, value]) => ({ name: key, value })),
      userData: "",
      vmId,
      vmSize: hardwareProfile?.vmSize,
      zone: zones?.[0] ?? "",
    },
    network: {
      // A Standard address stands only in the load balancer's metadata (same page, "Load balancer metadata").
      interface: [{ ipv4: { ipAddress: [{ privateIpAddress: host.address, publicIpAddress: "" }] }, ipv6: { ipAddress: [] } }],
    },
  };
}

/** Form, and the time as an HTTP date: "Scheduled Events for Linux VMs", "Query for events". */
function scheduledEvents({ description }: MetadataMachine, event: Event | undefined): MetadataAnswer {
  if (event === undefined) return told(200, { DocumentIncarnation: 1, Events: [] });
  const Events = [
    {
      EventId: event.id,
      EventStatus: "Scheduled",
      EventType: "Preempt",
      ResourceType: "VirtualMachine",
      Resources: [description.name],
      NotBefore: new Date(event.at).toUTCString(),
      Description: "",
      EventSource: "Platform",
      DurationInSeconds: -1,
    },
  ];
  return told(200, { DocumentIncarnation: 2, Events });
}

/** A nonce is "up to 32 random alphanumeric characters"; without one it is the time. A document is good for six hours. */
async function attested(
  { description, vmId }: MetadataMachine,
  query: URLSearchParams,
  signer: AttestedDataSigner,
): Promise<MetadataAnswer> {
  const nonce = query.get("nonce") ?? azureTime(Date.now()).replaceAll(/\D/g, "").slice(0, 14);
  if (!/^[a-zA-Z0-9]{1,32}$/.test(nonce)) return told(400, { error: "Bad request. nonce is up to 32 alphanumeric characters" });
  const { imageReference } = (description.properties?.storageProfile ?? {}) as { imageReference?: { sku?: string } };
  const document = {
    nonce,
    plan: { name: "", product: "", publisher: "" },
    sku: imageReference?.sku ?? "",
    subscriptionId: description.id.split("/")[2],
    timeStamp: { createdOn: azureTime(Date.now()), expiresOn: azureTime(Date.now() + 6 * 3_600_000) },
    vmId,
  };
  return told(200, { encoding: "pkcs7", signature: await signer.sign(JSON.stringify(document)) });
}

function tokenFor({ description }: MetadataMachine, query: URLSearchParams, principals: Map<string, string>): MetadataAnswer {
  const { principalId } = (description.identity ?? {}) as { principalId?: string };
  if (principalId === undefined) return told(400, { error: "invalid_request", error_description: "Identity not found" });
  const resource = query.get("resource") ?? "";
  if (!management.test(resource))
    return told(400, { error: "invalid_resource", error_description: `The double has no tokens for ${resource}` });
  const token = randomBytes(40).toString("base64url");
  principals.set(token, principalId);
  const now = Math.floor(Date.now() / 1000);
  return told(200, {
    access_token: token,
    client_id: principalId,
    expires_in: String(tokenSeconds),
    expires_on: String(now + tokenSeconds),
    ext_expires_in: String(tokenSeconds),
    not_before: String(now),
    resource,
    token_type: "Bearer",
  });
}

/** As its examples write it: `11/20/18 22:08:24 -0000`. */
function azureTime(at: number): string {
  const [date = "", time = ""] = new Date(at).toISOString().split("T");
  const [year = "", month = "", day = ""] = date.split("-");
  return `${month}/${day}/${year.slice(2)} ${time.slice(0, 8)} -0000`;
}

function told(status: number, body: object): MetadataAnswer {
  return {
    status,
    body: JSON.stringify(body),
    headers: { "content-type": "application/json; charset=utf-8", server: "IMDS/150.870.65.1325" },
  };
}
