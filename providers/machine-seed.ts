/** The Pulumi resource of what a cloud machine is born with: the host key that it presents first, and its user data. Its provider side is in stacks/plugin. */
import * as pulumi from "@pulumi/pulumi";

export interface MachineSeedArgs {
  /** Of the machine. */
  name: pulumi.Input<string>;
  /** Of its login. */
  user: pulumi.Input<string>;
  /** Who may log in: lines of OpenSSH's form; nobody has to where the machine joins by itself. */
  authorizedKeys: pulumi.Input<pulumi.Input<string>[]>;
  /** What makes another machine of it (its type, zone, image …), as a text: the new one gets a token of its own. */
  born?: pulumi.Input<string>;
  /** Of a burst, to which somebody connects. */
  unclaimed?: pulumi.Input<UnclaimedEnd>;
  /** Of a machine that joins by itself, and to which master. */
  join?: pulumi.Input<SelfJoin>;
  endpoint?: pulumi.Input<string>;
  caCert?: pulumi.Input<string>;
  /** A secret. */
  adminToken?: pulumi.Input<string>;
}

/** When a machine that never got an agent ends itself, and what is to be known for that. */
export interface UnclaimedEnd {
  cloud: "aws" | "azure";
  burst: string;
  /** ms after each start of the machine. */
  afterMs: number;
  /** Where it is known before the machine is made: Azure's, which is needed to end it. */
  providerId?: pulumi.Input<string>;
}

export interface SelfJoin {
  cloud: "aws" | "azure";
  arch: "x64" | "arm64";
  environment: string;
  environmentId: pulumi.Input<string>;
  /** How long its token can be spent: as long as it may take to be made, to boot and to fetch its bundle. */
  lifeMs: number;
  /** The https origin by which the machine reaches the master, where that is another than the one that is told to people. */
  dials?: pulumi.Input<string>;
  burst?: string;
  /** Of a burst: welcomed by no master for so long, it ends itself. */
  deadManMs?: number;
  /** Where it is known before the machine is made: Azure's, which is needed to end it. */
  providerId?: pulumi.Input<string>;
}

/** Made once for each machine; another one is another machine. */
export class MachineSeed extends pulumi.CustomResource {
  /** cloud-init's; a secret. */
  declare readonly userData: pulumi.Output<string>;
  /** SHA256:…; "" where nobody connects. */
  declare readonly hostKey: pulumi.Output<string>;

  constructor(name: string, args: MachineSeedArgs, options?: pulumi.CustomResourceOptions) {
    super(
      "spillway:index:MachineSeed",
      name,
      { ...args, userData: undefined, hostKey: undefined, health: undefined },
      {
        additionalSecretOutputs: ["adminToken", "userData"],
        ...options,
      },
    );
  }
}
