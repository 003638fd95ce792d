/** What goes wrong in the cloud when a test says so. */
import { errorAnswer } from "./ec2-answers.ts";
import { type Ec2Call, listOf } from "./ec2-call.ts";

export interface Faults {
  /** No machine of this type in this zone, of any type or zone where none is said, until `mend`. */
  stockout(type?: string, zone?: string): void;
  /** The next calls are too many. */
  throttle(times: number): void;
  /** Machines made from now on stay `pending` for that long, ms. */
  slowCreate(ms: number): void;
  /** Machines made from now on are not found for that long, ms: the API is only in the end consistent. */
  lateVisibility(ms: number): void;
  /** The next RunInstances makes its machines, but nobody is told. */
  createNeverAnswers(): void;
  /** Ending this instance is answered as if it were done, and is not. */
  deleteLies(instanceId: string): void;
  /** The next machine boots, but has no network. */
  bootWithoutNetwork(): void;
  /** The account may not start another machine in the market, until `mend`. */
  quota(market: "on-demand" | "spot"): void;
  /** Nobody's credentials are good any more, until `mend`. */
  badCredentials(): void;
  /** All is well again, but for what is done. */
  mend(): void;
}

export interface FaultState extends Faults {
  /** The answer in place of the cloud's, with its HTTP status; undefined when all is well. */
  refusal(call: Ec2Call, zoneOf: (subnetId: string) => Promise<string | undefined>): Promise<{ status: number; body: string } | undefined>;
  /** Taken once. */
  takeCreateNeverAnswers(): boolean;
  takeBootWithoutNetwork(): boolean;
  readonly pendingMs: () => number;
  readonly hiddenMs: () => number;
  readonly isLie: (instanceId: string) => boolean;
}

export function faultState(): FaultState {
  let stockouts: { readonly type: string | undefined; readonly zone: string | undefined }[] = [];
  let throttled = 0;
  let pendingMs = 0;
  let hiddenMs = 0;
  let silentCreates = 0;
  let networkless = 0;
  let quotas = new Set<string>();
  let isRefused = false;
  const lies = new Set<string>();
  const takeOne = (count: number) => Math.max(0, count - 1);
  return {
    stockout: (type, zone) => void stockouts.push({ type, zone }),
    throttle: (times) => void (throttled += times),
    slowCreate: (ms) => void (pendingMs = ms),
    lateVisibility: (ms) => void (hiddenMs = ms),
    createNeverAnswers: () => void (silentCreates += 1),
    deleteLies: (instanceId) => void lies.add(instanceId),
    bootWithoutNetwork: () => void (networkless += 1),
    quota: (market) => void quotas.add(market),
    badCredentials: () => void (isRefused = true),
    mend() {
      isRefused = false;
      stockouts = [];
      throttled = 0;
      pendingMs = 0;
      hiddenMs = 0;
      silentCreates = 0;
      networkless = 0;
      quotas = new Set();
      lies.clear();
    },
    async refusal(call, zoneOf) {
      if (isRefused) return { status: 401, body: errorAnswer("AuthFailure", credentialsMessage) };
      if (throttled > 0) {
        throttled -= 1;
        return { status: 503, body: errorAnswer("RequestLimitExceeded", "Request limit exceeded.") };
      }
      if (call.action !== "RunInstances") return undefined;
      const market = call.parameters.get("InstanceMarketOptions.MarketType") === "spot" ? "spot" : "on-demand";
      if (quotas.has(market)) return quotaAnswer(market);
      const type = call.parameters.get("InstanceType") ?? "m1.small";
      const subnet = call.parameters.get("SubnetId") ?? call.parameters.get("NetworkInterface.1.SubnetId");
      const said = call.parameters.get("Placement.AvailabilityZone");
      const zone = said ?? (subnet === null ? undefined : await zoneOf(subnet));
      const isOut = stockouts.some((each) => (each.type ?? type) === type && (each.zone ?? zone) === zone);
      return isOut ? { status: 500, body: errorAnswer("InsufficientInstanceCapacity", capacityMessage(type, zone)) } : undefined;
    },
    takeCreateNeverAnswers() {
      const taken = silentCreates > 0;
      silentCreates = takeOne(silentCreates);
      return taken;
    },
    takeBootWithoutNetwork() {
      const taken = networkless > 0;
      networkless = takeOne(networkless);
      return taken;
    },
    pendingMs: () => pendingMs,
    hiddenMs: () => hiddenMs,
    isLie: (instanceId) => lies.has(instanceId),
  };
}

/** Instances that a call is about. */
export function calledInstances(call: Ec2Call): string[] {
  return listOf(call.parameters, "InstanceId");
}

/** API reference, error codes, "AuthFailure". */
const credentialsMessage = "AWS was not able to validate the provided access credentials";

/** AWS' own words, as they stand in hashicorp/terraform-provider-aws#1496. */
function capacityMessage(type: string, zone: string | undefined): string {
  const where = zone === undefined ? "" : ` in the Availability Zone you requested (${zone})`;
  return `We currently do not have sufficient ${type} capacity${where}. Our system will be working on provisioning additional capacity.`;
}

/** EC2 user guide, "Troubleshoot instance launch issues"; API reference, error codes: both are client errors (400). */
function quotaAnswer(market: "on-demand" | "spot"): { status: number; body: string } {
  const [code, message] =
    market === "spot"
      ? ["MaxSpotInstanceCountExceeded", "Max spot instance count exceeded"]
      : [
          "VcpuLimitExceeded",
          "You have requested more vCPU capacity than your current vCPU limit of 0 allows for the instance bucket that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
        ];
  return { status: 400, body: errorAnswer(code, message) };
}
