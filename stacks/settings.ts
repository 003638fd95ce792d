/**
 * What a user writes as `spillway:environment` in Pulumi.<env>.yaml, checked and normalised once. An error names the
 * field's path and, when the file is known, its line; a key that a later version will have is refused, not ignored.
 */
import { z } from "zod";
import { nodeTimers } from "../agent/contract/agent-config.ts";
import { cpuQuantity, durationQuantity, memoryQuantity } from "../agent/contract/quantities.ts";
import { type Resources, shortages } from "../agent/contract/resources.ts";
import { resourceName } from "../agent/contract/workload.ts";
import { laterKeys, type SettingsSource, settingsError } from "./settings-error.ts";

const localPool = z.strictObject({
  provider: z.literal("local").describe("machines on this computer"),
  count: z.number().int().min(1).max(32).default(1).describe("how many machines"),
  cpu: cpuQuantity.prefault(2).describe("declared capacity of each, in cores or millicores: 2, 500m"),
  memory: memoryQuantity.prefault("4Gi").describe("declared capacity of each: 4Gi"),
  disk: memoryQuantity.prefault("10Gi").describe("declared capacity of each: 10Gi"),
  labels: z.record(z.string(), z.string()).default({}).describe("your own keys"),
  node: z.enum(["link", "upload"]).default("link").describe("link this computer's Node, or upload the bundle's own (linux x64)"),
});

const timers = z
  .strictObject({
    interval: durationQuantity.prefault("1s").describe("between two heartbeats"),
    suspectAfter: durationQuantity.prefault("5s").describe("silence until a node gets no new task"),
    disconnectedAfter: durationQuantity.prefault("15s"),
    lostAfter: durationQuantity.prefault("60s").describe("silence until a node's tasks are retried elsewhere"),
  })
  .refine((t) => t.interval * 2 <= t.suspectAfter && t.suspectAfter < t.disconnectedAfter && t.disconnectedAfter < t.lostAfter, {
    message: "must grow: interval (at most half of suspectAfter) < suspectAfter < disconnectedAfter < lostAfter",
  })
  .transform((t) =>
    nodeTimers.parse({
      heartbeatIntervalMs: t.interval,
      suspectAfterMs: t.suspectAfter,
      disconnectedAfterMs: t.disconnectedAfter,
      lostAfterMs: t.lostAfter,
    }),
  );

const reserve = z
  .strictObject({
    cpu: cpuQuantity.prefault("500m"),
    memory: memoryQuantity.prefault("512Mi"),
  })
  .transform(({ cpu, memory }): Resources => ({ cpu, memory, disk: 0, gpus: [] }));

export const environmentSettings = z
  .strictObject({
    masters: z.strictObject({
      pool: z.string().describe("the node pool whose first machine carries the master"),
      count: z.literal(1).default(1).describe("masters; 1 in this version"),
      reserve: reserve.prefault({}).describe("kept back from tasks on the master's machine"),
    }),
    pools: z
      .record(resourceName.max(60, "use at most 60 characters, since machines are named <pool>-<number>"), localPool)
      .refine((pools) => Object.keys(pools).length > 0, { message: "there must be at least one node pool" })
      .describe("node pools by name"),
    heartbeat: timers.prefault({}).describe("when silence means something"),
  })
  .superRefine((settings, context) => {
    const carrier = settings.pools[settings.masters.pool];
    if (carrier === undefined) {
      const names = Object.keys(settings.pools).join(", ");
      const message = `there is no node pool "${settings.masters.pool}"; there are: ${names}`;
      context.addIssue({ code: "custom", path: ["masters", "pool"], message });
      return;
    }
    const short = shortages(settings.masters.reserve, { ...carrier, gpus: [] });
    if (short.length > 0) {
      const message = `keeps back more ${short.join(" and ")} than a machine of pool "${settings.masters.pool}" has`;
      context.addIssue({ code: "custom", path: ["masters", "reserve"], message });
    }
  });
export type EnvironmentSettings = z.infer<typeof environmentSettings>;

/** Throws a SpillwayError `settings` that lists everything that is wrong. */
export function parseSettings(value: unknown, source?: SettingsSource): EnvironmentSettings {
  const later = laterKeys(value);
  const parsed = environmentSettings.safeParse(value);
  if (later.length === 0 && parsed.success) return parsed.data;
  throw settingsError(later, parsed.error, environmentSettings, source);
}
