/** The SDKs of Azure as this provider uses them, and whose subscription it is. */
import { existsSync, readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import type { ComputeManagementClient } from "@azure/arm-compute";
import type { ResourceGraphClient } from "@azure/arm-resourcegraph";
import type { ResourceManagementClient } from "@azure/arm-resources";
import { SpillwayError } from "../../agent/contract/errors.ts";

export interface AzureClients {
  readonly subscription: string;
  readonly compute: ComputeManagementClient;
  readonly resources: ResourceManagementClient;
  readonly graph: ResourceGraphClient;
  /** ms between two looks at an operation that takes long; Azure's own Retry-After goes before it. */
  readonly pollMs: number;
}

const clientsOf = new Map<string, Promise<AzureClients>>();

/**
 * The credentials are those of Azure's default chain: environment, workload identity, managed identity, the Azure CLI …
 * `SPILLWAY_AZURE_ENDPOINT` names another endpoint than Azure's own (a double, a proxy); then the token is
 * `AZURE_ACCESS_TOKEN` and nobody is asked for one.
 */
export function azureClients(subscription: string): Promise<AzureClients> {
  const endpoint = process.env.SPILLWAY_AZURE_ENDPOINT;
  const key = `${subscription.toLowerCase()} ${endpoint ?? ""}`;
  const known = clientsOf.get(key) ?? makeClients(subscription, endpoint);
  clientsOf.set(key, known);
  return known;
}

async function makeClients(subscription: string, endpoint: string | undefined): Promise<AzureClients> {
  // Loaded when they are needed: what has no machine at Azure shall not wait for them.
  const [{ ComputeManagementClient }, { ResourceManagementClient }, { ResourceGraphClient }, { DefaultAzureCredential }] =
    await Promise.all([
      import("@azure/arm-compute"),
      import("@azure/arm-resources"),
      import("@azure/arm-resourcegraph"),
      import("@azure/identity"),
    ]);
  if (endpoint === undefined) {
    const credential = new DefaultAzureCredential();
    return {
      subscription,
      compute: new ComputeManagementClient(credential, subscription),
      resources: new ResourceManagementClient(credential, subscription),
      graph: new ResourceGraphClient(credential),
      pollMs: 2000,
    };
  }
  const token = process.env.AZURE_ACCESS_TOKEN ?? "";
  const credential = { getToken: async () => ({ token, expiresOnTimestamp: Date.now() + 3_600_000 }) };
  const options = { endpoint, allowInsecureConnection: isLoopback(endpoint) };
  const clients = {
    subscription,
    compute: new ComputeManagementClient(credential, subscription, options),
    resources: new ResourceManagementClient(credential, subscription, options),
    graph: new ResourceGraphClient(credential, options),
    pollMs: 20,
  };
  if (options.allowInsecureConnection) {
    // The SDK's own policy refuses to send a token where there is no TLS, rightly; on loopback it goes nowhere.
    for (const { pipeline } of [clients.compute, clients.resources, clients.graph]) {
      pipeline.removePolicy({ name: "bearerTokenAuthenticationPolicy" });
      pipeline.addPolicy({
        name: "fixedToken",
        sendRequest(request, next) {
          request.headers.set("Authorization", `Bearer ${token}`);
          return next(request);
        },
      });
    }
  }
  return clients;
}

function isLoopback(endpoint: string): boolean {
  const { protocol, hostname } = new URL(endpoint);
  return protocol === "http:" && (hostname === "localhost" || hostname === "[::1]" || hostname.startsWith("127."));
}

/**
 * The subscription that whoever asks works in: `AZURE_SUBSCRIPTION_ID`, else `ARM_SUBSCRIPTION_ID` (Pulumi's), else the one
 * that the Azure CLI is set to. Throws `cloud-credentials` where there is none.
 */
export function currentSubscription(): string {
  const named = process.env.AZURE_SUBSCRIPTION_ID || process.env.ARM_SUBSCRIPTION_ID || subscriptionOfCli();
  if (named !== undefined) return named;
  throw new SpillwayError("no subscription is named, and the Azure CLI is not logged in", {
    code: "cloud-credentials",
    where: "Azure",
    hint: "Log in (az login), or name the subscription: AZURE_SUBSCRIPTION_ID=…",
  });
}

/** As `az account set` left it. */
function subscriptionOfCli(): string | undefined {
  const file = join(process.env.AZURE_CONFIG_DIR ?? join(homedir(), ".azure"), "azureProfile.json");
  if (!existsSync(file)) return undefined;
  try {
    // The CLI writes a byte order mark.
    const profile: unknown = JSON.parse(readFileSync(file, "utf8").replace(/^\uFEFF/, ""));
    const { subscriptions = [] } = profile as { subscriptions?: { id?: string; isDefault?: boolean }[] };
    return subscriptions.find(({ isDefault }) => isDefault)?.id;
  } catch {
    return undefined;
  }
}
