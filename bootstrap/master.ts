/** The Pulumi resource of the master on one machine. Its provider side is in stacks/plugin. */
import * as pulumi from "@pulumi/pulumi";
import type { NodeTimers } from "../agent/contract/agent-config.ts";
import type { Machine } from "../agent/contract/machine.ts";

export interface MasterArgs {
  machine: pulumi.Input<Machine>;
  /** Why that machine can't be used. */
  problem?: pulumi.Input<string | undefined> | undefined;
  /** The https URL by which it is to be reached; without it a free loopback port of its machine. */
  advertise?: pulumi.Input<string | undefined> | undefined;
  /** Further https URLs by which agents of its own network reach it. */
  alsoAt?: pulumi.Input<pulumi.Input<string>[]>;
  /** PEM: who vouches for instances beside AWS and Azure. */
  identityAuthorities?: pulumi.Input<pulumi.Input<string>[]>;
  environment: pulumi.Input<string>;
  environmentId: pulumi.Input<string>;
  caCert: pulumi.Input<string>;
  intermediateCert: pulumi.Input<string>;
  intermediateKey: pulumi.Input<string>;
  adminToken: pulumi.Input<string>;
  timers: pulumi.Input<NodeTimers>;
  /** Where people's access (URL, CA, token) is written on the operator's machine. */
  contextFile: pulumi.Input<string>;
}

/** What every resource takes that talks to the master. */
export interface MasterAccessArgs {
  environment: pulumi.Input<string>;
  endpoint: pulumi.Input<string>;
  masterInstance: pulumi.Input<string>;
  caCert: pulumi.Input<string>;
  adminToken: pulumi.Input<string>;
}

export class Master extends pulumi.CustomResource {
  /** The https URL by which agents and people reach it. */
  declare readonly endpoint: pulumi.Output<string>;
  /** Which master it is; another one knows nothing of what was told to the one before. */
  declare readonly instance: pulumi.Output<string>;

  constructor(name: string, args: MasterArgs, options?: pulumi.CustomResourceOptions) {
    super(
      "spillway:index:Master",
      name,
      { ...args, endpoint: undefined, instance: undefined, health: undefined },
      { additionalSecretOutputs: ["intermediateKey", "adminToken"], ...options },
    );
  }
}
