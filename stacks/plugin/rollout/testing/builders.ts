/** Machines and nodes for tests of rollouts, with defaults. */
import { type Machine, machine } from "../../../../agent/contract/machine.ts";
import { type NodeView, nodeView } from "../../../../agent/contract/node.ts";
import { noResources } from "../../../../agent/contract/resources.ts";

/** Takes the bundle for linux-x64. */
export function aMachine(name: string): Machine {
  const credential = { kind: "agent" };
  return machine.parse({
    name,
    pool: "rack",
    provider: "ssh",
    providerId: name,
    host: `${name}.example.org`,
    port: 22,
    user: "ops",
    credential,
  });
}

export function aNode(name: string, over: Partial<NodeView> = {}): NodeView {
  return nodeView.parse({
    name,
    state: "ready",
    stateReason: "its agent has joined",
    stateSince: 0,
    declaration: { pool: "rack", provider: "ssh", providerId: name },
    capacity: noResources,
    used: noResources,
    tasks: 0,
    bundle: "old",
    agentSince: 1000,
    lastHeartbeatAt: 1000,
    ...over,
  });
}
