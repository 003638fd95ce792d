/** Takes one role of Spillway off a machine, whatever state the machine is in. */

import { SpillwayError } from "../../agent/contract/errors.ts";
import type { Machine } from "../../agent/contract/machine.ts";
import { removeRole } from "../../bootstrap/actions/remove.ts";
import { providerOf } from "../../providers/registry.ts";
import { isForgotten } from "./master-access.ts";
import type { ResourceContext } from "./rpc.ts";

/**
 * A machine that is off is started first; one that is gone holds nothing to remove.
 * @throws SpillwayError `machine-silent` for a host of one's own that does not answer, unless its environment is forgotten.
 */
export async function removeFromMachine(
  { machine, environment }: { readonly machine: Machine; readonly environment: string },
  role: "agent" | "master",
  context: ResourceContext,
): Promise<void> {
  const provider = providerOf(machine.provider);
  const status = await provider.status(machine);
  if (status === "gone") return;
  if (status === "silent") {
    if (isForgotten(environment)) {
      context.log(`${machine.name} does not answer: Spillway's ${role} is still on it (${byHand})`);
      return;
    }
    throw new SpillwayError(`it does not answer, so the ${role} can't be taken off it`, {
      code: "machine-silent",
      where: `machine ${machine.name} (${machine.host}:${machine.port})`,
      hint: `Switch it on and run it again. If it is gone for good: ./spillway destroy ${environment} --forget ${environment}, or take it alone out of the state (pulumi state delete).`,
    });
  }
  await provider.start(machine);
  await removeRole({ machine, role, onProgress: context.status, onSentence: context.sentence, signal: context.signal });
}

/** What takes everything of Spillway off a host that was out of reach when its environment went. */
const byHand =
  "to remove it by hand there: systemctl disable --now spillway-agent spillway-master; systemctl stop 'spillway-task-*'; rm -rf /opt/spillway /etc/spillway /var/lib/spillway /var/log/spillway /etc/systemd/system/spillway-*.service; systemctl daemon-reload";
