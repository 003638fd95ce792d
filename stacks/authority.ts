/** The Pulumi resource of an environment's identity: its id, its certificates, its admin token. */
import * as pulumi from "@pulumi/pulumi";

export interface AuthorityArgs {
  environment: pulumi.Input<string>;
  /** Directory of the environment's local machines; what is left there with its tag goes when it goes. */
  machines: pulumi.Input<string>;
  /** People's access; a copy that an interrupted run left goes with it. */
  contextFile: pulumi.Input<string>;
}

export class Authority extends pulumi.CustomResource {
  /** A UUID; what machines are tagged with. The environment's name is for people. */
  declare readonly environmentId: pulumi.Output<string>;
  /** Root CA certificate, PEM. */
  declare readonly caCert: pulumi.Output<string>;
  declare readonly intermediateCert: pulumi.Output<string>;
  /** Secret. */
  declare readonly intermediateKey: pulumi.Output<string>;
  /** Secret. */
  declare readonly adminToken: pulumi.Output<string>;

  constructor(name: string, args: AuthorityArgs, options?: pulumi.CustomResourceOptions) {
    const found = {
      environmentId: undefined,
      caCert: undefined,
      caKey: undefined,
      intermediateCert: undefined,
      intermediateKey: undefined,
      adminToken: undefined,
    };
    super(
      "spillway:index:Authority",
      name,
      { ...args, ...found, renewIntermediate: undefined },
      { additionalSecretOutputs: ["caKey", "intermediateKey", "adminToken"], ...options },
    );
  }
}
