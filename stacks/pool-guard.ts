/** The Pulumi resource that is made last and deleted first: it opens the pool, and closes it in order before a teardown. */
import * as pulumi from "@pulumi/pulumi";
import type { Machine } from "../agent/contract/machine.ts";
import type { Resources, SystemReserve } from "../agent/contract/resources.ts";
import type { MasterAccessArgs } from "../bootstrap/master.ts";

export interface PoolGuardArgs extends MasterAccessArgs {
  machines: pulumi.Input<pulumi.Input<Machine>[]>;
  /** Kept back on the master's machine. */
  reserve: pulumi.Input<Resources>;
  /** Kept back for the hosts' own systems, by node. */
  systems?: pulumi.Input<Record<string, SystemReserve>>;
  /** The burster's own, where what is left of bursts is known; also without one, since there may have been one before. */
  burstDirectory?: pulumi.Input<string>;
  /** The final ledger is kept here. */
  logDirectory: pulumi.Input<string>;
}

export class PoolGuard extends pulumi.CustomResource {
  declare readonly nodes: pulumi.Output<number>;
  /** Millicores. */
  declare readonly cpu: pulumi.Output<number>;
  /** MiB. */
  declare readonly memory: pulumi.Output<number>;
  /** USD. */
  declare readonly hourly: pulumi.Output<number>;

  constructor(name: string, args: PoolGuardArgs, options?: pulumi.CustomResourceOptions) {
    super(
      "spillway:index:PoolGuard",
      name,
      { ...args, nodes: undefined, cpu: undefined, memory: undefined, hourly: undefined, closing: undefined },
      { additionalSecretOutputs: ["adminToken"], ...options },
    );
  }
}
