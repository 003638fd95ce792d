/** Whether two descriptions are of one machine. */
import type { Machine } from "../../agent/contract/machine.ts";

/** Its provider's word, or the same host key: then only its address or port is another one. */
export function isSameMachine(one: Machine, other: Machine): boolean {
  if (one.provider === other.provider && one.providerId === other.providerId) return true;
  return one.hostKey !== undefined && one.hostKey === other.hostKey;
}
