/** What a user writes under `burst`, and what becomes of it: the policy that the master goes by, and the pools that machines come from. */
import { z } from "zod";
import { type BurstPolicy, burstPolicyFields } from "../agent/contract/policy.ts";
import { cpuQuantity, durationQuantity, memoryQuantity } from "../agent/contract/quantities.ts";
import { resourceName } from "../agent/contract/workload.ts";
import { inventory, inventoryHost } from "../providers/ssh/inventory.ts";
import { type JumpEntry, jumpChain } from "../providers/ssh/jump-chain.ts";
import { awsBurstPool, azureBurstPool, filledAwsBurstPool, filledAzureBurstPool } from "./cloud-settings.ts";
import { hostDefaults, hostSources, labels, localPool, sshPool, whichProvider } from "./pool-settings.ts";

/** As written. Each field is what a person reads in the reference. */
export const burstSettings = z.strictObject({
  pools: z
    .record(
      resourceName.max(40, "use at most 40 characters, since it stands in the names of offers and nodes"),
      z.discriminatedUnion(
        "provider",
        [
          localPool.omit({ count: true }).extend({
            provider: z.literal("local").describe("machines on this computer; their price is made up, so that bursts can be tried"),
            price: z.strictObject({ hourly: z.number().nonnegative() }).prefault({ hourly: 0.1 }).describe("USD/hour, a pretend price"),
            maxNodes: z.number().int().min(0).max(32).default(4).describe("machines of this pool that may exist at a time"),
            launchTimeout: atLeastOneSecond("30s").describe("a launch that takes longer has failed"),
          }),
          z.strictObject({
            provider: z.literal("ssh").describe("spare hosts of your own, which belong to the pool while they are needed"),
            ...hostDefaults,
            ...hostSources,
            price: z.strictObject({ hourly: z.number().nonnegative() }).prefault({ hourly: 0 }).describe("USD/hour, by your own reckoning"),
            cpu: cpuQuantity.describe("what tasks may use of each host, in cores or millicores: 2, 500m"),
            memory: memoryQuantity.describe("what tasks may use of each host: 4Gi"),
            disk: memoryQuantity.prefault("0Mi").describe("what tasks may use of each host: 10Gi"),
            launchTimeout: atLeastOneSecond("3m").describe("a launch that takes longer has failed"),
            hosts: sshPool.shape.hosts,
          }),
          awsBurstPool,
          azureBurstPool,
        ],
        whichProvider,
      ),
    )
    .refine((pools) => Object.keys(pools).length > 0, { message: "there must be at least one burst pool" })
    .describe("burst pools by name: where machines come from"),
  ...burstPolicyFields,
  sweep: z
    .strictObject({
      every: atLeastOneSecond("1m").describe("the providers are asked so often what really exists"),
      unknownAfter: durationQuantity.prefault("90s").describe("a machine of a burst that nobody accounts for so long is ended"),
    })
    .prefault({})
    .describe("the search for machines that nobody accounts for"),
});
export type WrittenBurst = z.infer<typeof burstSettings>;

/** A burst pool with everything filled in, as it travels through Pulumi's inputs to the burster's configuration file. */
export const burstPool = z.discriminatedUnion("provider", [
  z.object({
    provider: z.literal("local"),
    cpu: z.number().int().describe("millicores"),
    memory: z.number().int().describe("MiB"),
    disk: z.number().int().describe("MiB"),
    labels,
    node: z.enum(["link", "upload"]),
    price: z.object({ hourly: z.number().nonnegative() }).describe("USD/hour, made up"),
    maxNodes: z.number().int().nonnegative(),
    launchTimeoutMs: z.number().int().positive(),
  }),
  z.object({
    provider: z.literal("ssh"),
    hosts: z.array(inventoryHost).min(1).describe("each with its price"),
    cpu: z.number().int().describe("millicores that tasks may use of each host"),
    memory: z.number().int().describe("MiB"),
    disk: z.number().int().describe("MiB"),
    launchTimeoutMs: z.number().int().positive(),
  }),
  filledAwsBurstPool,
  filledAzureBurstPool,
]);
export type BurstPool = z.infer<typeof burstPool>;

export const sweepTimes = z.object({
  everyMs: z.number().int().positive(),
  unknownAfterMs: z.number().int().nonnegative(),
});
export type SweepTimes = z.infer<typeof sweepTimes>;

export interface BurstSettings {
  readonly pools: Record<string, BurstPool>;
  readonly policy: BurstPolicy;
  readonly sweep: SweepTimes;
}

/** Of a burster that buys nothing. */
export const usualSweep: SweepTimes = sweepTimesOf(burstSettings.shape.sweep.parse(undefined));

function sweepTimesOf(sweep: WrittenBurst["sweep"]): SweepTimes {
  return { everyMs: sweep.every, unknownAfterMs: sweep.unknownAfter };
}

/** The settings with everything filled in; they must have been checked. */
export function filledBurst(written: WrittenBurst, jumps: Readonly<Record<string, JumpEntry>>): BurstSettings {
  const { pools, sweep, expireAfter, retryAfter, ...policy } = written;
  return {
    pools: Object.fromEntries(Object.entries(pools).map(([name, pool]) => [name, filledPool(name, pool, jumps)])),
    policy: { ...policy, expireAfterMs: expireAfter, retryAfterMs: retryAfter },
    sweep: sweepTimesOf(sweep),
  };
}

function filledPool(name: string, pool: WrittenBurst["pools"][string], jumps: Readonly<Record<string, JumpEntry>>): BurstPool {
  const { launchTimeout: launchTimeoutMs, ...rest } = pool;
  if (rest.provider === "local") return { ...rest, launchTimeoutMs };
  if (rest.provider !== "ssh") {
    const { jump: named, ...cloud } = rest;
    const jump = named === undefined ? undefined : jumpChain(named, jumps);
    return { ...cloud, launchTimeoutMs, ...(jump === undefined ? {} : { jump }) };
  }
  const { cpu, memory, disk } = rest;
  return { provider: "ssh", hosts: inventory(name, rest, jumps), cpu, memory, disk, launchTimeoutMs };
}

function atLeastOneSecond(otherwise: string) {
  return durationQuantity.prefault(otherwise).refine((ms) => ms >= 1000, { message: "must be at least 1s" });
}
