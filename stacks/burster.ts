/** The Pulumi resource of the burster: the process on the operator's computer that makes and ends the machines of bursts. Its provider side is in stacks/plugin. */
import * as pulumi from "@pulumi/pulumi";
import type { Machine } from "../agent/contract/machine.ts";
import type { BurstPolicy } from "../agent/contract/policy.ts";
import type { MasterAccessArgs } from "../bootstrap/master.ts";
import type { BurstPool, SweepTimes } from "./burst-settings.ts";

export interface BursterArgs extends MasterAccessArgs {
  environmentId: pulumi.Input<string>;
  /** What the master goes by; none in an environment that does not burst, whose burster holds tunnels alone. */
  policy?: pulumi.Input<BurstPolicy>;
  /** Burst pools by name. */
  pools: pulumi.Input<Record<string, BurstPool>>;
  sweep: pulumi.Input<SweepTimes>;
  /** The master's URL inside its own network, and by burst pool the regions whose machines stand there and dial it. */
  nearby?: pulumi.Input<{ endpoint: pulumi.Input<string>; regions: Record<string, string[]> }>;
  /** Machines of clouds reach the master by tunnels that this process holds. */
  reach?: pulumi.Input<"reverse">;
  /** Of node pools, those that it holds tunnels to; those of bursts it knows itself. */
  tunnels?: pulumi.Input<pulumi.Input<Machine>[]>;
  /** Directory of the environment's local machines, those of bursts among them. */
  machines: pulumi.Input<string>;
  /** The burster's own: its configuration, and the stacks of bursts with their backend and passphrase. */
  directory: pulumi.Input<string>;
  logs: pulumi.Input<string>;
}

export class Burster extends pulumi.CustomResource {
  /** As last read: `ok`, or `broken`. */
  declare readonly health: pulumi.Output<string>;

  constructor(name: string, args: BursterArgs, options?: pulumi.CustomResourceOptions) {
    super("spillway:index:Burster", name, { ...args, health: undefined }, { additionalSecretOutputs: ["adminToken"], ...options });
  }
}
