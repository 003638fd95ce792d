/** What must hold of the hosts and jump hosts that the settings name; pure. */
import { type CredentialReference, hopsOf, type SecretReference } from "../agent/contract/machine.ts";
import { resourceName } from "../agent/contract/workload.ts";
import { type HostProblem, type InventoryHost, listedHosts } from "../providers/ssh/inventory.ts";
import { jumpChain, jumpCycle } from "../providers/ssh/jump-chain.ts";
import { noneNamed, type Path, pathText } from "./settings-error.ts";
import type { CheckedSettings, Refuse } from "./settings-rules.ts";

type HostPool = Extract<CheckedSettings["pools"][string] | NonNullable<CheckedSettings["burst"]>["pools"][string], { provider: "ssh" }>;

/** Every host stands in one place alone, whether of a node pool or of a burst pool, and no two machines have one name. */
export function refuseHosts({ pools, jumps, burst }: CheckedSettings, refuse: Refuse): void {
  refuseJumps(jumps, refuse);
  const [names, addresses] = [new Map<string, string>(), new Map<string, string>()];
  const all = [
    ...Object.entries(pools).map(([name, pool]) => ({ name, pool, at: ["pools", name] })),
    ...Object.entries(burst?.pools ?? {}).map(([name, pool]) => ({ name, pool, at: ["burst", "pools", name] })),
  ];
  for (const { name: poolName, pool, at } of all) {
    if (pool.provider !== "ssh") {
      if ("jump" in pool) {
        refuseJump([...at, "jump"], pool.jump, jumps, refuse);
        if (at[0] === "burst" && pool.jump !== undefined && hasHopOutOfReach(jumpChain(pool.jump, jumps)))
          refuse([...at, "jump"], `the keyPassphrase of each jump host ${fileForBursts}`);
      }
      // Machines of bursts are named after their burst, not after their pool.
      if ("count" in pool) for (let number = 1; number <= pool.count; number++) names.set(`${poolName}-${number}`, pathText(at));
      continue;
    }
    refuseJump([...at, "jump"], pool.jump, jumps, refuse);
    for (const [index, { jump }] of pool.hosts.entries()) refuseJump([...at, "hosts", index, "jump"], jump, jumps, refuse);
    refuseProblems({ name: poolName, pool, at, isSpare: at[0] === "burst" }, jumps, refuse);
    for (const { host: listed, entry } of listedHosts(poolName, pool, jumps)) {
      const { name, host, port } = listed;
      const path = [...at, "hosts", entry];
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

interface CheckedPool {
  readonly name: string;
  readonly pool: HostPool;
  readonly at: Path;
  /** Whether its hosts are taken by bursts. */
  readonly isSpare: boolean;
}

/** What speaks against a host as it is written, told where that is; once, whatever the number of hosts that it holds for. */
function refuseProblems({ name, pool, at, isSpare }: CheckedPool, jumps: CheckedSettings["jumps"], refuse: Refuse): void {
  const told = new Set<string>();
  for (const { host, entry, problems } of listedHosts(name, pool, jumps)) {
    for (const { key, sentence } of isSpare ? [...problems, ...outOfReach(host)] : problems) {
      const own = pool.hosts[entry] ?? {};
      const path = key in own || !(key in pool) ? [...at, "hosts", entry, ...(key in own ? [key] : [])] : [...at, key];
      const words = `${pathText(path)} ${sentence}`;
      if (!told.has(words)) refuse(path, sentence);
      told.add(words);
    }
  }
}

/** Of a secret on the way to what bursts take. */
const fileForBursts = "must be file:~/PATH for bursts: the burster has nobody to ask and none of your variables";

/** The burster runs apart from the terminal, without the variables that hold secrets. */
function outOfReach({ credential, sudoPassword, jump }: InventoryHost): HostProblem[] {
  const sentence = "must be file:~/PATH for spare hosts: the burster, which logs in to them, has nobody to ask and none of your variables";
  return [
    ...(isOut(passphraseOf(credential)) ? [{ key: "keyPassphrase", sentence }] : []),
    ...(isOut(sudoPassword) ? [{ key: "sudoPassword", sentence }] : []),
    ...(hasHopOutOfReach(jump) ? [{ key: "jump", sentence: `the keyPassphrase of each jump host ${sentence}` }] : []),
  ];
}

function hasHopOutOfReach(jump: InventoryHost["jump"]): boolean {
  return hopsOf(jump).some(({ credential }) => isOut(passphraseOf(credential)));
}

function isOut(secret: SecretReference | undefined): boolean {
  return secret !== undefined && secret.kind !== "file";
}

function passphraseOf(credential: CredentialReference): SecretReference | undefined {
  return credential.kind === "file" ? credential.passphrase : undefined;
}

function refuseJumps(jumps: CheckedSettings["jumps"], refuse: Refuse): void {
  for (const [name, { jump }] of Object.entries(jumps)) {
    const path = ["jumps", name, "jump"];
    refuseJump(path, jump, jumps, refuse);
    const cycle = jumpCycle(name, jumps);
    // Told once, at the first of those that are in it.
    if (cycle !== undefined && cycle[0] === name && [...cycle].sort()[0] === name) refuse(path, `goes round: ${cycle.join(" → ")}`);
  }
}

function refuseJump(path: Path, jump: string | undefined, jumps: CheckedSettings["jumps"], refuse: Refuse): void {
  if (jump === undefined || Object.hasOwn(jumps, jump)) return;
  const known = Object.keys(jumps);
  const problem = `there is no jump host "${jump}"`;
  refuse(path, known.length === 0 ? `${problem}; name it under jumps` : noneNamed(problem, jump, known));
}
