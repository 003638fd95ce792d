/** The Pulumi resource of a node: the agent on a machine, joined to the pool. Its provider side is in stacks/plugin. */
import * as pulumi from "@pulumi/pulumi";
import type { Machine } from "../agent/contract/machine.ts";
import type { Resources, SystemReserve } from "../agent/contract/resources.ts";
import type { MasterAccessArgs } from "./master.ts";

export interface NodeArgs extends MasterAccessArgs {
  machine: pulumi.Input<Machine>;
  /** Why that machine is left out. */
  problem?: pulumi.Input<string | undefined> | undefined;
  environmentId: pulumi.Input<string>;
  /** The https URL by which its agent reaches the master, where that is another than the one that is told to people. */
  dials?: pulumi.Input<string>;
  /** Its agent reaches the master by a tunnel to its machine. */
  reach?: pulumi.Input<"reverse"> | undefined;
  /** Kept back for the master beside it. */
  reserve?: pulumi.Input<Resources>;
  /** Kept back for the host's own system, where its capacity is measured. */
  system?: pulumi.Input<SystemReserve>;
  /** Of a burst: welcomed by no master for so long, its machine ends itself; ms. */
  deadManMs?: pulumi.Input<number>;
}

export class Node extends pulumi.CustomResource {
  declare readonly health: pulumi.Output<string>;

  constructor(name: string, args: NodeArgs, options?: pulumi.CustomResourceOptions) {
    super("spillway:index:Node", name, { ...args, health: undefined }, { additionalSecretOutputs: ["adminToken"], ...options });
  }
}
