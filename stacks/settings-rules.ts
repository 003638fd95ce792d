/** What must hold between the parts of the settings, each of which is well-formed by itself; pure. */
import type { z } from "zod";
import type { NodeTimers } from "../agent/contract/agent-config.ts";
import { type Resources, shortages } from "../agent/contract/resources.ts";
import type { JumpEntry } from "../providers/ssh/jump-chain.ts";
import type { WrittenBurst } from "./burst-settings.ts";
import { refuseCloudMaster } from "./cloud-master-rules.ts";
import type { AwsPool, AzurePool } from "./cloud-settings.ts";
import { breachesOf, type GuardRails } from "./guard-rails.ts";
import { refuseHosts } from "./host-rules.ts";
import type { localPool, sshPool } from "./pool-settings.ts";
import { refuseReach } from "./reach-rules.ts";
import { noneNamed, type Path, pathText } from "./settings-error.ts";

type LocalPool = z.infer<typeof localPool>;
type CheckedPool = LocalPool | SshPool | AwsPool | AzurePool;
type SshPool = z.infer<typeof sshPool>;

export interface CheckedSettings {
  readonly masters: {
    readonly pool: string;
    readonly endpoint?: string | undefined;
    readonly reach: "direct" | "reverse";
    readonly reserve: Resources;
  };
  readonly pools: Readonly<Record<string, CheckedPool>>;
  readonly jumps: Readonly<Record<string, JumpEntry>>;
  readonly heartbeat: NodeTimers;
  readonly guards: GuardRails;
  readonly burst?: WrittenBurst | undefined;
}

/** A role may take Azure 10 minutes to know it everywhere ("Troubleshoot Azure RBAC"), and a machine needs one to delete itself. */
const leastAzureExpiryMs = 15 * 60_000;

export type Refuse = (path: Path, message: string) => void;

export function refuseContradictions(settings: CheckedSettings, refuse: Refuse): void {
  const { masters, pools, burst } = settings;
  const carrier = pools[masters.pool];
  if (carrier === undefined) {
    const names = Object.keys(pools).join(", ");
    refuse(["masters", "pool"], `there is no node pool "${masters.pool}"; there are: ${names}`);
  } else if (carrier.provider === "local") refuseForLocalMaster(settings, carrier, refuse);
  refuseHosts(settings, refuse);
  refuseClouds(settings, refuse);
  if (burst !== undefined) refuseForBursts({ ...settings, burst }, carrier, refuse);
}

function refuseForLocalMaster({ masters, pools }: CheckedSettings, carrier: LocalPool, refuse: Refuse): void {
  const { pool, endpoint, reserve: kept } = masters;
  const short = shortages(kept, { ...carrier, gpus: [] });
  if (short.length > 0) refuse(["masters", "reserve"], `keeps back more ${short.join(" and ")} than a machine of pool "${pool}" has`);
  if (endpoint !== undefined)
    refuse(["masters", "endpoint"], "a master on this computer listens on a free loopback port of its own choice");
  for (const [name, { provider }] of Object.entries(pools)) {
    if (provider === "local" || (provider !== "ssh" && masters.reach === "reverse")) continue;
    refuse(
      ["masters", "pool"],
      provider === "ssh"
        ? `the hosts of pool "${name}" can't dial a master on this computer's loopback; choose that pool for it`
        : `the machines of pool "${name}" can't dial a master on this computer's loopback; choose that pool for it, or write reach: reverse`,
    );
  }
}

function refuseForBursts(
  { masters, pools, heartbeat, burst }: CheckedSettings & { readonly burst: WrittenBurst },
  carrier: CheckedPool | undefined,
  refuse: Refuse,
): void {
  const names = Object.keys(burst.pools);
  for (const [name, pool] of Object.entries(burst.pools)) {
    const { provider } = pool;
    const path = ["burst", "pools", name];
    if (Object.hasOwn(pools, name))
      refuse(path, `there is a node pool "${name}" too: write another name, since nodes are told apart by it`);
    if (provider === "azure" && burst.expireAfter < leastAzureExpiryMs)
      refuse(
        ["burst", "expireAfter"],
        "must be at least 15m for bursts on Azure, which may take 10 min to let a new machine delete itself",
      );
    if (carrier === undefined || carrier.provider === provider) continue;
    if (carrier.provider !== "local" && provider !== "local") continue;
    if (provider !== "local" && provider !== "ssh" && masters.reach === "reverse") continue;
    refuse(
      [...path, "provider"],
      provider === "local"
        ? "machines on this computer burst only where the master is on this computer too; use spare hosts (provider: ssh)"
        : `${provider === "ssh" ? "hosts" : "machines elsewhere"} can't dial a master on this computer's loopback; use machines on this computer (provider: local), or another pool for the master${provider === "ssh" ? "" : ", or masters.reach: reverse"}`,
    );
  }
  for (const [index, { use }] of burst.rules.entries()) {
    if (use === "cheapest") continue;
    for (const [place, name] of use.entries())
      if (!names.includes(name))
        refuse(["burst", "rules", index, "use", place], noneNamed(`there is no burst pool "${name}"`, name, names));
  }
  if (burst.expireAfter <= heartbeat.disconnectedAfterMs)
    refuse(
      ["burst", "expireAfter"],
      "must be longer than heartbeat.disconnectedAfter: a master that is away for a moment would end machines",
    );
}

/** What machines of clouds need, and what their owners should not open by accident. */
function refuseClouds(settings: CheckedSettings, refuse: Refuse): void {
  const { masters, pools, burst, guards } = settings;
  for (const { rule, path, problem } of breachesOf(settings))
    if (guards.override[rule] === undefined)
      refuse(path, `${problem}. To set this rule aside: guards: { override: { ${rule}: "the reason" } }`);
  const carrier = pools[masters.pool];
  const clouds = cloudPools({ pools, burst });
  for (const [at, pool] of clouds) {
    const isMade = "regions" in pool ? pool.regions.some((region) => !Object.hasOwn(pool.networks, region)) : pool.network === undefined;
    if (pool.join === "cloud-init" && at[0] === "pools" && at[1] === masters.pool)
      refuse([...at, "join"], "the master's machine is reached by SSH: write join: ssh, or another pool for the master");
    if (pool.join === "cloud-init" && masters.reach === "reverse")
      refuse([...at, "join"], "a machine that nobody connects to can't be led to the master: write join: ssh, or masters.reach: direct");
    if (isMade && pool.join === "ssh" && pool.address === "public" && pool.sshFrom.length === 0)
      refuse([...at, "sshFrom"], "is missing: the blocks of addresses that may reach these machines by SSH, e.g. [203.0.113.7/32]");
    if (isMade && pool.address === "private")
      refuse([...at, "address"], "private machines need a network of your own with a way out and in: write network");
    if ("zones" in pool)
      for (const [index, zone] of pool.zones.entries())
        if (!isZone(pool, zone)) refuse([...at, "zones", index], `${zone} is no zone of ${pool.region}`);
  }
  refuseReach(settings, clouds, refuse);
  if (carrier?.provider === "ssh" && masters.endpoint === undefined && masters.reach === "direct" && clouds.length > 0) {
    const which = clouds.map(([at]) => pathText(at)).join(", ");
    refuse(
      ["masters", "endpoint"],
      `is missing: the URL by which the machines of ${which} reach the master, e.g. https://pool.example.org:7070; or write reach: reverse`,
    );
  }
  refuseCloudMaster(settings, clouds, refuse);
}

/** AWS: the region's name and a letter; local zones are others. Azure numbers them, in every region. */
function isZone({ provider, region }: AwsPool | AzurePool, zone: string): boolean {
  return provider === "aws" ? zone.startsWith(region) && /^[a-z]$/.test(zone.slice(region.length)) : /^[1-9]$/.test(zone);
}

export type CloudPool = AwsPool | AzurePool | Extract<WrittenBurst["pools"][string], { provider: "aws" | "azure" }>;

function cloudPools({ pools, burst }: Pick<CheckedSettings, "pools" | "burst">): [Path, CloudPool][] {
  const all = [
    ...Object.entries(pools).map(([name, pool]) => [["pools", name], pool] as const),
    ...Object.entries(burst?.pools ?? {}).map(([name, pool]) => [["burst", "pools", name], pool] as const),
  ];
  return all.flatMap(([at, pool]): [Path, CloudPool][] => (pool.provider === "local" || pool.provider === "ssh" ? [] : [[at, pool]]));
}
