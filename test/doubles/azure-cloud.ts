/**
 * An Azure for tests: Azure Resource Manager on loopback whose virtual machines are machines. SDKs are pointed at its `url`
 * (SPILLWAY_AZURE_ENDPOINT), and so is the double of Pulumi's azure-native: both see one truth. Faults come on command.
 */
import { type ArmDouble, startArmDouble } from "./azure/arm.ts";
import { attestedDataSigner } from "./azure/attested-data.ts";
import { catalog } from "./azure/catalog.ts";
import type { AzureFaults } from "./azure/faults.ts";
import { type AzureMachine, keepMachines } from "./azure/machines.ts";
import { azureMetadata } from "./azure/metadata.ts";
import { type HostMaker, type MetadataHandler, type PlacedHost, pretendHosts } from "./cloud-hosts.ts";

export interface AzureCloud<Host extends PlacedHost> {
  /** Of the API, on loopback. */
  readonly url: string;
  /** Of the same API as a machine of this cloud reaches it, which has no way to this computer's loopback. */
  readonly urlInside: string;
  readonly subscription: string;
  /** What a process needs in its environment to talk to this cloud and no other. */
  readonly environment: Readonly<Record<string, string>>;
  /** What is there, what it sells (a few sizes in `westeurope`), requests so far, and what was asked that it does not know. */
  readonly arm: ArmDouble;
  /** All that have a host now. */
  machines(): AzureMachine<Host>[];
  /** By ARM id or vmId. Throws when it has none (any more). */
  hostOf(id: string): Host;
  readonly faults: AzureFaults;
  /** As Azure announces it: in the scheduled events now, the machine taken back after that time. By ARM id or vmId. */
  preemptNotice(id: string, seconds: number): void;
  /** Certificates (PEM) of the root under which attested data is signed: the double's own, not Azure's. */
  readonly identityAuthorities: readonly string[];
  /** All machines gone. Throws what went wrong with them. */
  stop(): Promise<void>;
}

/** How often machines are looked at for what they did by themselves, ms. */
const lookEveryMs = 200;
const subscription = "0b1f6471-1bf0-4dda-aec3-cb9272f09590";
const token = "the-token-of-whoever-runs-the-tests";

export async function startAzureCloud(): Promise<AzureCloud<PlacedHost>>;
export async function startAzureCloud<Host extends PlacedHost>(hosts: HostMaker<Host>): Promise<AzureCloud<Host>>;
export async function startAzureCloud(hosts: HostMaker<PlacedHost> = pretendHosts()): Promise<AzureCloud<PlacedHost>> {
  const timers = new Set<NodeJS.Timeout>();
  const machines = keepMachines(hosts, () => arm.resources);
  const signer = await attestedDataSigner(hosts.directory);
  const others: MetadataHandler = async ({ method, path, headers }) => {
    const answer = await arm.answerTo({ method, url: path, headers, body: "" });
    if (answer === undefined) return { status: 504, body: "" };
    const type = { "content-type": "application/json; charset=utf-8" };
    return {
      status: answer.status,
      body: answer.body === undefined ? "" : JSON.stringify(answer.body),
      headers: { ...type, ...answer.headers },
    };
  };
  const metadata = azureMetadata({ machines: () => machines.present(), signer, others });
  const arm = await startArmDouble({ token, machines, principalOf: metadata.principalOf });
  Object.assign(arm, catalog);
  const endMetadata = await hosts.metadata?.(metadata.handle);
  timers.add(setInterval(() => machines.look(), lookEveryMs));

  const find = (id: string) => {
    const found = machines.present().find((each) => each.vmId === id || each.id.toLowerCase() === id.toLowerCase());
    if (found === undefined) throw new Error(`the cloud has no machine for ${id}`);
    return found;
  };
  const evict = async (id: string): Promise<void> => {
    const { description } = find(id);
    if (description.properties?.evictionPolicy === "Delete") return await arm.takeAway(description.id);
    description.power = "deallocating";
    await machines.stop(description);
    description.power = "deallocated";
  };
  return {
    url: arm.url,
    urlInside: "http://169.254.169.254",
    subscription,
    environment: {
      SPILLWAY_AZURE_ENDPOINT: arm.url,
      SPILLWAY_AZURE_PRICES: arm.pricesUrl,
      AZURE_ACCESS_TOKEN: token,
      AZURE_SUBSCRIPTION_ID: subscription,
      ARM_SUBSCRIPTION_ID: subscription,
    },
    arm,
    machines: () => machines.present(),
    hostOf: (id) => find(id).host,
    faults: arm.faults,
    preemptNotice(id, seconds) {
      const { vmId, description } = find(id);
      if (description.properties?.priority !== "Spot") throw new Error(`${description.name} is no spot machine`);
      metadata.announcePreempt(vmId, Date.now() + seconds * 1000);
      timers.add(setTimeout(() => void evict(vmId).catch(() => undefined), seconds * 1000));
    },
    identityAuthorities: [signer.authority],
    async stop() {
      for (const timer of timers) clearTimeout(timer);
      await arm.close();
      await machines.endAll();
      await endMetadata?.();
      signer.close();
      const { problems } = machines;
      if (problems.length > 0) throw new AggregateError(problems, problems.map(({ message }) => message).join("; "));
    },
  };
}
