/**
 * What a user writes as `spillway:environment` in Pulumi.<env>.yaml, checked and normalised once. An error names the
 * field's path and, when the file is known, its line; a key that a later version will have is refused, not ignored.
 */
import { z } from "zod";
import { nodeTimers } from "../agent/contract/agent-config.ts";
import { cpuQuantity, durationQuantity, memoryQuantity } from "../agent/contract/quantities.ts";
import type { Resources } from "../agent/contract/resources.ts";
import { resourceName } from "../agent/contract/workload.ts";
import { burstSettings, filledBurst } from "./burst-settings.ts";
import { awsPool, azurePool } from "./cloud-settings.ts";
import { guardRails } from "./guard-rails.ts";
import { readOperatorFile } from "./operator-files.ts";
import { jumpHosts, localPool, sshPool, whichProvider } from "./pool-settings.ts";
import { laterKeys, type SettingsSource, settingsError } from "./settings-error.ts";
import { refuseContradictions } from "./settings-rules.ts";
import { upgradeSettings } from "./upgrade-settings.ts";

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

const masterEndpoint = z.string().superRefine((text, context) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url?.protocol === "https:" && url.pathname === "/" && url.search === "" && url.hash === "" && url.username === "";
  if (!isPlain) context.addIssue({ code: "custom", message: `"${text}" is not of the form https://pool.example.org:7070` });
});

/** A text, or a file's path → the text. */
const certificates = z.string().transform((written, context) => {
  try {
    const text = /^(~\/|\/)/.test(written) ? readOperatorFile(written) : written;
    if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
    context.addIssue({
      code: "custom",
      message: "holds no certificate: write PEM (-----BEGIN CERTIFICATE-----), or the path of such a file (~/… or /…)",
    });
  } catch (error) {
    context.addIssue({ code: "custom", message: (error as Error).message });
  }
  return z.NEVER;
});

export const environmentSettings = z
  .strictObject({
    masters: z.strictObject({
      pool: z.string().describe("the node pool whose first machine carries the master"),
      count: z.literal(1).default(1).describe("masters; 1 in this version"),
      endpoint: masterEndpoint.optional().describe("the https URL by which agents and people reach the master, with its port"),
      reach: z
        .enum(["direct", "reverse"])
        .default("direct")
        .describe("how machines in clouds get to the master: they dial it, or by tunnels that the burster holds to them over SSH"),
      identityAuthorities: z
        .array(certificates)
        .optional()
        .describe("who vouches for machines that join by themselves, beside AWS and Azure: PEM texts, or paths of files of them"),
      reserve: reserve.prefault({}).describe("kept back from tasks on the master's machine"),
    }),
    pools: z
      .record(
        resourceName.max(60, "use at most 60 characters, since machines are named after it"),
        z.discriminatedUnion("provider", [localPool, sshPool, awsPool, azurePool], whichProvider),
      )
      .refine((pools) => Object.keys(pools).length > 0, { message: "there must be at least one node pool" })
      .describe("node pools by name"),
    jumps: jumpHosts.describe("hosts that are passed through on the way to others, by name"),
    heartbeat: timers.prefault({}).describe("when silence means something"),
    upgrade: upgradeSettings.prefault({}).describe("how the master and the nodes move to another version"),
    guards: guardRails.describe("what nobody should write by accident for machines in clouds"),
    burst: burstSettings.optional().describe("machines that are taken for a while when the pool is full; without it none are"),
  })
  .superRefine((settings, context) =>
    refuseContradictions(settings, (path, message) => context.addIssue({ code: "custom", path: [...path], message })),
  )
  .transform(({ burst, ...settings }) => ({ ...settings, ...(burst === undefined ? {} : { burst: filledBurst(burst, settings.jumps) }) }));
export type EnvironmentSettings = z.infer<typeof environmentSettings>;

/** Throws a SpillwayError `settings` that lists everything that is wrong. */
export function parseSettings(value: unknown, source?: SettingsSource): EnvironmentSettings {
  const later = laterKeys(value);
  const parsed = environmentSettings.safeParse(value);
  if (later.length === 0 && parsed.success) return parsed.data;
  throw settingsError(later, parsed.error, environmentSettings, { value, source });
}
