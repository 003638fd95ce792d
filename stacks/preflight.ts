/** The Pulumi resource that stands between looking at hosts and changing them: with one that can't be used, none is changed. */
import * as pulumi from "@pulumi/pulumi";

export interface PreflightArgs {
  /** Why each host can't be used; nothing where it can. */
  hosts: pulumi.Input<pulumi.Input<{ name: pulumi.Input<string>; problem?: pulumi.Input<string | undefined> | undefined }>[]>;
}

export class Preflight extends pulumi.CustomResource {
  constructor(name: string, args: PreflightArgs, options?: pulumi.CustomResourceOptions) {
    super("spillway:index:Preflight", name, args, options);
  }
}
