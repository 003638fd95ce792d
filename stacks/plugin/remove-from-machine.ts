/** Takes one role of Spillway off a machine, whatever state the machine is in. */
import type { Machine } from "../../agent/contract/machine.ts";
import { removeRole } from "../../bootstrap/actions/remove.ts";
import { providerOf } from "../../providers/registry.ts";
import type { ResourceContext } from "./rpc.ts";

/** A machine that is off is started first; one that is gone holds nothing to remove. */
export async function removeFromMachine(machine: Machine, role: "agent" | "master", context: ResourceContext): Promise<void> {
  const provider = providerOf(machine.provider);
  if ((await provider.status(machine)) === "gone") return;
  await provider.start(machine);
  await removeRole({ machine, role, onProgress: context.status, onSentence: context.sentence, signal: context.signal });
}
