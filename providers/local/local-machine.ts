/** The Pulumi resource of a local machine; its provider side is in stacks/plugin. */
import * as pulumi from "@pulumi/pulumi";
import type { Machine } from "../../agent/contract/machine.ts";
import type { Resources } from "../../agent/contract/resources.ts";

export interface LocalMachineArgs {
  environmentId: pulumi.Input<string>;
  name: pulumi.Input<string>;
  pool: pulumi.Input<string>;
  /** Absolute path of the directory that is the machine. */
  directory: pulumi.Input<string>;
  capacity: pulumi.Input<Resources>;
  labels: pulumi.Input<Record<string, string>>;
  /** `link`: the agent runs on this computer's Node; `upload`: the bundle brings its own, as on any other host. */
  node: pulumi.Input<"link" | "upload">;
  /** The burst that buys it. */
  burst?: pulumi.Input<string>;
  /** USD/hour, made up; nothing without it. */
  price?: pulumi.Input<{ hourly: number }>;
}

export class LocalMachine extends pulumi.CustomResource {
  declare readonly machine: pulumi.Output<Machine>;
  declare readonly status: pulumi.Output<string>;

  constructor(name: string, args: LocalMachineArgs, options?: pulumi.CustomResourceOptions) {
    super("spillway:index:LocalMachine", name, { ...args, machine: undefined, status: undefined }, options);
  }
}
