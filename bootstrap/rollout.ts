/** The Pulumi resource that moves the master and every node to the bundle at hand, in batches. Its provider side is in stacks/plugin. */
import * as pulumi from "@pulumi/pulumi";
import type { Machine } from "../agent/contract/machine.ts";
import type { MasterAccessArgs } from "./master.ts";

export interface RolloutArgs extends MasterAccessArgs {
  environmentId: pulumi.Input<string>;
  /** The machine of the master. */
  master: pulumi.Input<Machine>;
  /** `problem`: why that machine is left out. */
  nodes: pulumi.Input<pulumi.Input<{ machine: pulumi.Input<Machine>; problem?: pulumi.Input<string | undefined> | undefined }>[]>;
  strategy: pulumi.Input<{
    /** Nodes that go first. */
    readonly canary: number;
    /** Nodes at a time after that: a number, or a share such as 25%. */
    readonly batch: number | string;
    readonly healthTimeoutMs: number;
    readonly autoRevert: boolean;
  }>;
}

export class Rollout extends pulumi.CustomResource {
  /** Role → digest of the bundle that it was found well with. */
  declare readonly installed: pulumi.Output<Record<string, string>>;

  constructor(name: string, args: RolloutArgs, options?: pulumi.CustomResourceOptions) {
    super(
      "spillway:index:Rollout",
      name,
      { ...args, installed: undefined, before: undefined, running: undefined, held: undefined },
      { additionalSecretOutputs: ["adminToken"], ...options },
    );
  }
}
