/** The Pulumi resource of a cloud's machine as one that we know: reached, its own host key pinned. Its provider side is in stacks/plugin. */
import * as pulumi from "@pulumi/pulumi";
import type { CredentialReference, JumpHost, Machine } from "../agent/contract/machine.ts";
import type { Resources } from "../agent/contract/resources.ts";

export interface CloudHostArgs {
  environmentId: pulumi.Input<string>;
  name: pulumi.Input<string>;
  pool: pulumi.Input<string>;
  /** aws, azure */
  provider: pulumi.Input<string>;
  /** The cloud's own name for the machine; another one is another machine. */
  providerId: pulumi.Input<string>;
  host: pulumi.Input<string>;
  /** By which machines of its own network reach it. */
  privateHost: pulumi.Input<string>;
  user: pulumi.Input<string>;
  credential: pulumi.Input<CredentialReference>;
  /** The key that it was born with, SHA256:… */
  seedHostKey: pulumi.Input<string>;
  /** Nobody connects to it. */
  join?: pulumi.Input<"cloud-init">;
  jump?: pulumi.Input<JumpHost>;
  /** How long it may take until it answers. */
  bootTimeoutMs: pulumi.Input<number>;
  labels: pulumi.Input<Record<string, pulumi.Input<string>>>;
  attributes: pulumi.Input<Record<string, pulumi.Input<string>>>;
  price?: pulumi.Input<{ hourly: pulumi.Input<number> }>;
  burst?: pulumi.Input<string>;
  /** What tasks may use of it; without it its agent measures. */
  capacity?: pulumi.Input<Resources>;
}

export class CloudHost extends pulumi.CustomResource {
  declare readonly machine: pulumi.Output<Machine>;
  declare readonly privateHost: pulumi.Output<string>;
  declare readonly status: pulumi.Output<string>;

  constructor(name: string, args: CloudHostArgs, options?: pulumi.CustomResourceOptions) {
    super("spillway:index:CloudHost", name, { ...args, machine: undefined, status: undefined }, options);
  }
}
