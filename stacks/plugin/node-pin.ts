/** What a node's declaration says of the way to its machine: public facts, by which `nodes adopt` finds and verifies it when the state was lost. */
import type { Machine } from "../../agent/contract/machine.ts";
import type { NodeDeclaration } from "../../agent/contract/node.ts";

export type NodePin = Pick<NodeDeclaration, "host" | "port" | "user" | "hostKey">;

export function pinOf({ host, port, user, hostKey }: Machine): NodePin {
  return { host, port, user, ...(hostKey === undefined ? {} : { hostKey }) };
}

/** Whether a declaration says the same; one of a version before 0.4 says nothing. */
export function holdsPin({ host, port, user, hostKey }: NodePin, machine: Machine): boolean {
  const pin = pinOf(machine);
  return host === pin.host && port === pin.port && user === pin.user && hostKey === pin.hostKey;
}
