/**
 * What goes wrong at Azure when a test says so. Codes and words as Azure has them: stockouts as in Azure-Samples/azuresandbox#70
 * (409 SkuNotAvailable) and Microsoft's page "Troubleshoot allocation failures" (AllocationFailed, ZonalAllocationFailed); quotas
 * as in Azure/karpenter-provider-azure#192 (409 OperationNotAllowed); too many requests as in "Understand how Azure Resource
 * Manager throttles requests" (429, Retry-After in seconds).
 */
import { type ArmAnswer, ArmRefusal } from "./resources.ts";

export interface AzureFaults {
  /**
   * No machine of this size in this zone, of any where none is said, until `mend`: refused at once, or taken on and failed, and
   * then Azure keeps a machine that never ran.
   */
  stockout(size?: string, zone?: string, how?: "refused" | "while-allocating"): void;
  /** The next requests are too many. */
  throttle(times: number): void;
  /** Machines made from now on are not done before their operation has been looked at so often: time passes by being asked. */
  slowCreate(looks: number): void;
  /** The next machine is made, but nobody is told. */
  createNeverAnswers(): void;
  /** The deletion of this machine is answered as if it were done, and is not. By its ARM id. */
  deleteLies(id: string): void;
  /** The next machine boots, but has no network. */
  bootWithoutNetwork(): void;
  /** The subscription may not make another machine in the market, until `mend`. */
  quota(market: "on-demand" | "spot"): void;
  /** All is well again, but for what is done. */
  mend(): void;
}

export interface WantedMachine {
  readonly size: string;
  readonly zone: string | undefined;
  readonly location: string;
  readonly market: "on-demand" | "spot";
}

export interface FaultState extends AzureFaults {
  /** Throws what Azure says in place of an answer; returns what it says later, while the machine is allocated. */
  checkMachine(wanted: WantedMachine): ArmRefusal | undefined;
  /** Taken once for each. */
  takeThrottled(): boolean;
  takeCreateNeverAnswers(): boolean;
  takeBootWithoutNetwork(): boolean;
  readonly createLooks: () => number;
  readonly isLie: (id: string) => boolean;
}

interface Stockout {
  readonly size: string | undefined;
  readonly zone: string | undefined;
  readonly how: "refused" | "while-allocating";
}

export function faultState(): FaultState {
  let stockouts: Stockout[] = [];
  let createLooks = 0;
  let quotas = new Set<string>();
  const lies = new Set<string>();
  const counts = { throttled: 0, silent: 0, networkless: 0 };
  const take = (name: keyof typeof counts): boolean => {
    const taken = counts[name] > 0;
    if (taken) counts[name] -= 1;
    return taken;
  };
  return {
    stockout: (size, zone, how = "refused") => void stockouts.push({ size, zone, how }),
    throttle: (times) => void (counts.throttled += times),
    slowCreate: (looks) => void (createLooks = looks),
    createNeverAnswers: () => void (counts.silent += 1),
    deleteLies: (id) => void lies.add(id.toLowerCase()),
    bootWithoutNetwork: () => void (counts.networkless += 1),
    quota: (market) => void quotas.add(market),
    mend() {
      stockouts = [];
      createLooks = 0;
      quotas = new Set();
      lies.clear();
      Object.assign(counts, { throttled: 0, silent: 0, networkless: 0 });
    },
    checkMachine(wanted) {
      if (quotas.has(wanted.market)) throw overQuota(wanted);
      const out = stockouts.find((one) => (one.size ?? wanted.size) === wanted.size && (one.zone ?? wanted.zone) === wanted.zone);
      if (out?.how === "refused") throw skuNotAvailable(wanted);
      return out === undefined ? undefined : allocationFailed(wanted);
    },
    takeThrottled: () => take("throttled"),
    takeCreateNeverAnswers: () => take("silent"),
    takeBootWithoutNetwork: () => take("networkless"),
    createLooks: () => createLooks,
    isLie: (id) => lies.has(id.toLowerCase()),
  };
}

function skuNotAvailable({ size, location }: WantedMachine): ArmRefusal {
  const message = `The requested VM size for resource 'Following SKUs have failed for Capacity Restrictions: ${size}' is currently not available in location '${location}'. Please try another size or deploy to a different location or different zone. See https://aka.ms/azureskunotavailable for details.`;
  return new ArmRefusal(409, "SkuNotAvailable", message);
}

function allocationFailed({ zone }: WantedMachine): ArmRefusal {
  const where = zone === undefined ? "region" : "zone";
  const message = `Allocation failed. We do not have sufficient capacity for the requested VM size in this ${where}. Read more about improving likelihood of allocation success at http://aka.ms/allocation-guidance`;
  return new ArmRefusal(409, zone === undefined ? "AllocationFailed" : "ZonalAllocationFailed", message);
}

/** Spot machines count against one quota of their own in each region, `LowPriorityCores`. */
function overQuota({ market, location }: WantedMachine): ArmRefusal {
  const family = market === "spot" ? "LowPriorityCores" : "Total Regional Cores";
  const message = `Operation could not be completed as it results in exceeding approved ${family} quota. Additional details - Deployment Model: Resource Manager, Location: ${location}, Current Limit: 0, Current Usage: 0, Additional Required: 2, (Minimum) New Limit Required: 2.`;
  return new ArmRefusal(409, "OperationNotAllowed", message);
}

/** "Understand how Azure Resource Manager throttles requests". */
export function tooMany(method: string, path: string): ArmAnswer {
  const kind = { GET: "read", DELETE: "delete" }[method] ?? "write";
  const message = `Number of '${kind}' requests for subscription '${path.split("/")[2] ?? ""}' exceeded. Please try again after '1' seconds after additional tokens are available. Refer to https://aka.ms/arm-throttling for additional information.`;
  return { status: 429, headers: { "retry-after": "1" }, body: { error: { code: "SubscriptionRequestsThrottled", message } } };
}
