/** What must hold between the parts of the settings, each of which is well-formed by itself; pure. */
import type { z } from "zod";
import type { NodeTimers } from "../agent/contract/agent-config.ts";
import type { JumpHost } from "../agent/contract/machine.ts";
import { type Resources, shortages } from "../agent/contract/resources.ts";
import { resourceName } from "../agent/contract/workload.ts";
import { inventory } from "../providers/ssh/inventory.ts";
import type { WrittenBurst } from "./burst-settings.ts";
import type { localPool, sshPool } from "./pool-settings.ts";
import { noneNamed, type Path, pathText } from "./settings-error.ts";

type LocalPool = z.infer<typeof localPool>;
type SshPool = z.infer<typeof sshPool>;

export interface CheckedSettings {
  readonly masters: { readonly pool: string; readonly endpoint?: string | undefined; readonly reserve: Resources };
  readonly pools: Readonly<Record<string, LocalPool | SshPool>>;
  readonly jumps: Readonly<Record<string, JumpHost>>;
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

/** Every host stands in one place alone, whether of a node pool or of a burst pool, and no two machines have one name. */
function refuseHosts({ pools, jumps, burst }: CheckedSettings, refuse: Refuse): void {
  const [names, addresses] = [new Map<string, string>(), new Map<string, string>()];
  const all = [
    ...Object.entries(pools).map(([name, pool]) => ({ name, pool, at: ["pools", name] })),
    ...Object.entries(burst?.pools ?? {}).map(([name, pool]) => ({ name, pool, at: ["burst", "pools", name] })),
  ];
  for (const { name: poolName, pool, at } of all) {
    if (pool.provider === "local") {
      // Machines of bursts are named after their burst, not after their pool.
      if ("count" in pool) for (let number = 1; number <= pool.count; number++) names.set(`${poolName}-${number}`, pathText(at));
      continue;
    }
    refuseJump([...at, "jump"], pool.jump, jumps, refuse);
    for (const [index, { name, host, port }] of inventory(poolName, pool, jumps).entries()) {
      const path = [...at, "hosts", index];
      refuseJump([...path, "jump"], pool.hosts[index]?.jump, jumps, refuse);
      const address = `${host}:${port}`;
      const other = names.get(name);
      if (other !== undefined)
        refuse([...path, "name"], `its machine would be named ${name} like that of ${other}: write a name of its own`);
      if (addresses.has(address)) refuse([...path, "host"], `${address} stands in ${addresses.get(address)} already`);
      names.set(name, pathText(path));
      addresses.set(address, pathText(path));
      if (!resourceName.safeParse(name).success) refuse([...path, "name"], `"${name}" can't be a machine's name: write one of its own`);
    }
  }
  if (burst === undefined) return;
  for (const [name, where] of names)
    if (likeNodeOfBurst.test(name))
      refuse(["pools"], `the machine ${name} of ${where} would be named as a burst names its own: write another name`);
}

/** `<burst id>-<number>`, where the id is `b-` and the second of its decision in base 36. */
const likeNodeOfBurst = /^b-[0-9a-z]{6,7}-\d+$/;

function refuseJump(path: Path, jump: string | undefined, jumps: CheckedSettings["jumps"], refuse: Refuse): void {
  if (jump === undefined || Object.hasOwn(jumps, jump)) return;
  const known = Object.keys(jumps);
  const problem = `there is no jump host "${jump}"`;
  refuse(path, known.length === 0 ? `${problem}; name it under jumps` : noneNamed(problem, jump, known));
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
