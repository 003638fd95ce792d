/** The Pulumi resource of the type that a node pool of a cloud got, where its settings say only what it must have. Its provider side is in stacks/plugin. */
import * as pulumi from "@pulumi/pulumi";
import type { Market } from "./cloud-machine.ts";
import type { TypeWish } from "./type-wish.ts";

export interface InstanceChoiceArgs {
  pool: pulumi.Input<string>;
  cloud: pulumi.Input<"aws" | "azure">;
  region: pulumi.Input<string>;
  /** As written: each must sell the type, now and later. */
  zones: pulumi.Input<pulumi.Input<string>[]>;
  /** Where none is written: those in which its machines may be made. They count when the type is chosen, and not again. */
  landing: pulumi.Input<pulumi.Input<string>[]>;
  market: pulumi.Input<Market>;
  requirements: pulumi.Input<TypeWish>;
  /** Types that the guard rails allow, with `*`; without it any. */
  allowed?: pulumi.Input<pulumi.Input<string>[]>;
  diskGiB: pulumi.Input<number>;
  address: pulumi.Input<"public" | "private">;
}

/** Chosen once; another price later is no reason for another type, and neither are other requirements that it meets. */
export class InstanceChoice extends pulumi.CustomResource {
  declare readonly instanceType: pulumi.Output<string>;
  /** USD/hour of one machine with its disk and address, as priced when it was chosen. */
  declare readonly hourly: pulumi.Output<number>;

  constructor(name: string, args: InstanceChoiceArgs, options?: pulumi.CustomResourceOptions) {
    super("spillway:index:InstanceChoice", name, { ...args, instanceType: undefined, hourly: undefined, entry: undefined }, options);
  }
}
