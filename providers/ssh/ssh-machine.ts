/** The Pulumi resource of a host you own: looked at, its key pinned, nothing changed on it. Its provider side is in stacks/plugin. */
import * as pulumi from "@pulumi/pulumi";
import type { CredentialReference, JumpHost, Machine, SecretReference } from "../../agent/contract/machine.ts";
import type { Resources } from "../../agent/contract/resources.ts";

export interface SshMachineArgs {
  environmentId: pulumi.Input<string>;
  environment: pulumi.Input<string>;
  name: pulumi.Input<string>;
  pool: pulumi.Input<string>;
  host: pulumi.Input<string>;
  port: pulumi.Input<number>;
  user: pulumi.Input<string>;
  credential: pulumi.Input<CredentialReference>;
  /** SHA256:… */
  hostKey?: pulumi.Input<string>;
  /** Without `hostKey`: whether the key that it presents first is taken for its own. */
  trustOnFirstUse: pulumi.Input<boolean>;
  jump?: pulumi.Input<JumpHost>;
  /** Where its user's password for sudo is; never the password. */
  sudoPassword?: pulumi.Input<SecretReference>;
  /** How long an installation tries to reach it. */
  connectTimeoutMs?: pulumi.Input<number>;
  labels: pulumi.Input<Record<string, string>>;
  site?: pulumi.Input<string>;
  price?: pulumi.Input<{ hourly: number }>;
  /** The burst that takes it. */
  burst?: pulumi.Input<string>;
  /** What tasks may use of it; without it its agent measures. */
  capacity?: pulumi.Input<Resources>;
  /** The master's https URL, which the host must be able to dial; undefined on the master's own host. */
  dials?: pulumi.Input<string>;
  /** The port that the master will listen on; on the master's own host only. */
  listenPort?: pulumi.Input<number>;
}

export class SshMachine extends pulumi.CustomResource {
  declare readonly machine: pulumi.Output<Machine>;
  /** Why it can't be used, empty when it can; what that means for the others is decided elsewhere. */
  declare readonly problem: pulumi.Output<string | undefined>;

  constructor(name: string, args: SshMachineArgs, options?: pulumi.CustomResourceOptions) {
    super("spillway:index:SshMachine", name, { ...args, machine: undefined, problem: undefined, status: undefined }, options);
  }
}
