/**
 * What a user writes as `spillway:environment` in Pulumi.<env>.yaml, checked and normalised once. An error names the
 * field's path and, when the file is known, its line; a key that a later version will have is refused, not ignored.
 */
import { z } from "zod";
import { nodeTimers } from "../agent/contract/agent-config.ts";
import { cpuQuantity, durationQuantity, memoryQuantity } from "../agent/contract/quantities.ts";
import { type Resources, shortages } from "../agent/contract/resources.ts";
import { resourceName } from "../agent/contract/workload.ts";
import { hostName } from "../providers/ssh/inventory.ts";
import { jumpHosts, localPool, sshPool } from "./pool-settings.ts";
import { laterKeys, type SettingsSource, settingsError } from "./settings-error.ts";

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

export const environmentSettings = z
  .strictObject({
    masters: z.strictObject({
      pool: z.string().describe("the node pool whose first machine carries the master"),
      count: z.literal(1).default(1).describe("masters; 1 in this version"),
      endpoint: masterEndpoint.optional().describe("the https URL by which agents and people reach the master, with its port"),
      reserve: reserve.prefault({}).describe("kept back from tasks on the master's machine"),
    }),
    pools: z
      .record(
        resourceName.max(60, "use at most 60 characters, since machines are named after it"),
        z.discriminatedUnion("provider", [localPool, sshPool]),
      )
      .refine((pools) => Object.keys(pools).length > 0, { message: "there must be at least one node pool" })
      .describe("node pools by name"),
    jumps: jumpHosts.describe("hosts that are passed through on the way to others, by name"),
    heartbeat: timers.prefault({}).describe("when silence means something"),
  })
  .superRefine((settings, context) => {
    const refuse = (path: (string | number)[], message: string) => context.addIssue({ code: "custom", path, message });
    const carrier = settings.pools[settings.masters.pool];
    if (carrier === undefined) {
      const names = Object.keys(settings.pools).join(", ");
      refuse(["masters", "pool"], `there is no node pool "${settings.masters.pool}"; there are: ${names}`);
    } else if (carrier.provider === "local") refuseForLocalMaster(settings, carrier, refuse);
    refuseHosts(settings, refuse);
  });
export type EnvironmentSettings = z.infer<typeof environmentSettings>;

type Refuse = (path: (string | number)[], message: string) => void;

function refuseForLocalMaster(settings: EnvironmentSettings, carrier: z.infer<typeof localPool>, refuse: Refuse): void {
  const { pool, endpoint, reserve: kept } = settings.masters;
  const short = shortages(kept, { ...carrier, gpus: [] });
  if (short.length > 0) refuse(["masters", "reserve"], `keeps back more ${short.join(" and ")} than a machine of pool "${pool}" has`);
  if (endpoint !== undefined)
    refuse(["masters", "endpoint"], "a master on this computer listens on a free loopback port of its own choice");
  for (const [name, { provider }] of Object.entries(settings.pools)) {
    if (provider === "local") continue;
    refuse(["masters", "pool"], `the hosts of pool "${name}" can't dial a master on this computer's loopback; choose a pool of hosts`);
  }
}

function refuseHosts({ pools, jumps }: EnvironmentSettings, refuse: Refuse): void {
  const [names, addresses] = [new Map<string, string>(), new Map<string, string>()];
  for (const [pool, one] of Object.entries(pools)) {
    if (one.provider === "local") {
      for (let number = 1; number <= one.count; number++) names.set(`${pool}-${number}`, `pools.${pool}`);
      continue;
    }
    refuseJump(["pools", pool, "jump"], one.jump, jumps, refuse);
    for (const [index, entry] of one.hosts.entries()) {
      const path = ["pools", pool, "hosts", index];
      refuseJump([...path, "jump"], entry.jump, jumps, refuse);
      const name = hostName(pool, entry);
      const address = `${entry.host}:${entry.port ?? one.port ?? 22}`;
      const where = `pools.${pool}.hosts[${index}]`;
      const other = names.get(name);
      if (other !== undefined)
        refuse([...path, "name"], `its machine would be named ${name} like that of ${other}: write a name of its own`);
      if (addresses.has(address)) refuse([...path, "host"], `${address} stands in ${addresses.get(address)} already`);
      names.set(name, where);
      addresses.set(address, where);
      if (!resourceName.safeParse(name).success) refuse([...path, "name"], `"${name}" can't be a machine's name: write one of its own`);
    }
  }
}

function refuseJump(path: (string | number)[], jump: string | undefined, jumps: EnvironmentSettings["jumps"], refuse: Refuse): void {
  if (jump === undefined || jump in jumps) return;
  const known = Object.keys(jumps).join(", ");
  refuse(path, `there is no jump host "${jump}"${known === "" ? "; name it under jumps" : `; there are: ${known}`}`);
}

/** Throws a SpillwayError `settings` that lists everything that is wrong. */
export function parseSettings(value: unknown, source?: SettingsSource): EnvironmentSettings {
  const later = laterKeys(value);
  const parsed = environmentSettings.safeParse(value);
  if (later.length === 0 && parsed.success) return parsed.data;
  throw settingsError(later, parsed.error, environmentSettings, { value, source });
}
