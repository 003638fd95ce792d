/** What must hold where machines in clouds reach the master by tunnels (`masters.reach: reverse`); pure. */
import { hopsOf } from "../agent/contract/machine.ts";
import { jumpChain } from "../providers/ssh/jump-chain.ts";
import type { Path } from "./settings-error.ts";
import type { CheckedSettings, CloudPool, Refuse } from "./settings-rules.ts";

/** `clouds`: every pool whose machines a cloud makes, and where it stands. */
export function refuseReach(
  { masters, pools, jumps }: CheckedSettings,
  clouds: readonly (readonly [Path, CloudPool])[],
  refuse: Refuse,
): void {
  if (masters.reach === "direct") return;
  const at = ["masters", "reach"];
  const carrier = pools[masters.pool]?.provider;
  if (carrier === "aws" || carrier === "azure")
    return refuse(at, "reverse is for a master that clouds can't dial, and this one is in a cloud: leave it out");
  if (clouds.length === 0) return refuse(at, "reverse does nothing here: it is for machines in clouds, and there is no pool of them");
  for (const [path, pool] of clouds) {
    if ("join" in pool && pool.join === "cloud-init")
      refuse([...path, "join"], "can't be with masters.reach: reverse: the tunnel is held over SSH, and nobody connects to such a machine");
    // Of burst pools that holds anyway.
    if (path[0] === "burst") continue;
    if (isAsked(pool.credential)) refuse([...path, "keyPassphrase"], `must be file:~/PATH with masters.reach: reverse: ${burster}`);
    if (
      pool.jump !== undefined &&
      Object.hasOwn(jumps, pool.jump) &&
      hopsOf(jumpChain(pool.jump, jumps)).some((hop) => isAsked(hop.credential))
    )
      refuse([...path, "jump"], `the keyPassphrase of each jump host must be file:~/PATH with masters.reach: reverse: ${burster}`);
  }
}

const burster = "the burster, which holds the tunnels, has nobody to ask and none of your variables";

function isAsked(credential: CloudPool["credential"]): boolean {
  return credential.kind === "file" && credential.passphrase !== undefined && credential.passphrase.kind !== "file";
}
