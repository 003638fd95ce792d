/** What must hold between the parts of the settings, each of which is well-formed by itself; pure. */
import type { z } from "zod";
import type { NodeTimers } from "../agent/contract/agent-config.ts";
import { type Resources, shortages } from "../agent/contract/resources.ts";
import type { JumpEntry } from "../providers/ssh/jump-chain.ts";
import type { WrittenBurst } from "./burst-settings.ts";
import { refuseHosts } from "./host-rules.ts";
import type { localPool, sshPool } from "./pool-settings.ts";
import { noneNamed, type Path } from "./settings-error.ts";

type LocalPool = z.infer<typeof localPool>;
type SshPool = z.infer<typeof sshPool>;

export interface CheckedSettings {
  readonly masters: { readonly pool: string; readonly endpoint?: string | undefined; readonly reserve: Resources };
  readonly pools: Readonly<Record<string, LocalPool | SshPool>>;
  readonly jumps: Readonly<Record<string, JumpEntry>>;
  readonly heartbeat: NodeTimers;
  readonly burst?: WrittenBurst | undefined;
}

export type Refuse = (path: Path, message: string) => void;

export function refuseContradictions(settings: CheckedSettings, refuse: Refuse): void {
  const { masters, pools, burst } = settings;
  const carrier = pools[masters.pool];
  if (carrier === undefined) {
    const names = Object.keys(pools).join(", ");
    refuse(["masters", "pool"], `there is no node pool "${masters.pool}"; there are: ${names}`);
  } else if (carrier.provider === "local") refuseForLocalMaster(settings, carrier, refuse);
  refuseHosts(settings, refuse);
  if (burst !== undefined) refuseForBursts({ ...settings, burst }, carrier, refuse);
}

function refuseForLocalMaster({ masters, pools }: CheckedSettings, carrier: LocalPool, refuse: Refuse): void {
  const { pool, endpoint, reserve: kept } = masters;
  const short = shortages(kept, { ...carrier, gpus: [] });
  if (short.length > 0) refuse(["masters", "reserve"], `keeps back more ${short.join(" and ")} than a machine of pool "${pool}" has`);
  if (endpoint !== undefined)
    refuse(["masters", "endpoint"], "a master on this computer listens on a free loopback port of its own choice");
  for (const [name, { provider }] of Object.entries(pools)) {
    if (provider === "local") continue;
    refuse(["masters", "pool"], `the hosts of pool "${name}" can't dial a master on this computer's loopback; choose a pool of hosts`);
  }
}

function refuseForBursts(
  { pools, heartbeat, burst }: CheckedSettings & { readonly burst: WrittenBurst },
  carrier: LocalPool | SshPool | undefined,
  refuse: Refuse,
): void {
  const names = Object.keys(burst.pools);
  for (const [name, { provider }] of Object.entries(burst.pools)) {
    const path = ["burst", "pools", name];
    if (Object.hasOwn(pools, name))
      refuse(path, `there is a node pool "${name}" too: write another name, since nodes are told apart by it`);
    if (carrier === undefined || carrier.provider === provider) continue;
    refuse(
      [...path, "provider"],
      provider === "local"
        ? "machines on this computer burst only where the master is on this computer too; use spare hosts (provider: ssh)"
        : "hosts can't dial a master on this computer's loopback; use machines on this computer (provider: local), or a pool of hosts for the master",
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
