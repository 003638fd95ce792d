/** The Pulumi resource of what a cloud machine is born with: the host key that it presents first, and its user data. Its provider side is in stacks/plugin. */
import * as pulumi from "@pulumi/pulumi";

export interface MachineSeedArgs {
  /** Of the machine. */
  name: pulumi.Input<string>;
  /** Of its login. */
  user: pulumi.Input<string>;
  /** Who may log in: lines of OpenSSH's form. */
  authorizedKeys: pulumi.Input<pulumi.Input<string>[]>;
}

/** Made once for each machine; another one is another machine. */
export class MachineSeed extends pulumi.CustomResource {
  /** cloud-init's; a secret. */
  declare readonly userData: pulumi.Output<string>;
  /** SHA256:… */
  declare readonly hostKey: pulumi.Output<string>;

  constructor(name: string, args: MachineSeedArgs, options?: pulumi.CustomResourceOptions) {
    super("spillway:index:MachineSeed", name, { ...args, userData: undefined, hostKey: undefined }, options);
  }
}
