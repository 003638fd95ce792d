/** What a machine of a cloud is made of and what becomes of it; the same for every cloud. Each makes it with its own Pulumi SDK. */
import type * as pulumi from "@pulumi/pulumi";

export type Market = "on-demand" | "spot";

/** The newest of a known distribution, or one image by the cloud's own name for it. */
export type ImageWish = { readonly distribution: Distribution } | { readonly id: string };
export type Distribution = "debian-12" | "ubuntu-24.04";

/** Who a machine is for. Becomes its tags. */
export interface CloudIdentity {
  readonly environment: string;
  readonly environmentId: pulumi.Input<string>;
  /** Node pool or burst pool. */
  readonly pool: string;
  /** The machine's and its node's name. */
  readonly name: string;
  /** Id of the burst that buys it. */
  readonly burst?: string;
}

export interface CloudMachineSpec {
  readonly region: string;
  /** As the cloud names it; undefined: wherever it has room. */
  readonly zone?: string;
  /** Known while the program runs, where it is chosen by what it must have. */
  readonly instanceType: pulumi.Input<string>;
  /** Of a type that is chosen: whether it may be a whole host. */
  readonly mayBeBareMetal?: boolean;
  readonly arch: "x64" | "arm64";
  readonly market: Market;
  /** USD/hour above which a spot machine is not wanted; undefined: up to the price on demand. */
  readonly maxSpotPrice?: number;
  readonly image: ImageWish;
  readonly diskGiB: number;
  /** The first machine of the masters' pool keeps its address over a stop and a replacement. */
  readonly address: "public" | "fixed" | "private";
  /** cloud-init's, a secret. */
  readonly userData: pulumi.Input<string>;
}

export interface MadeCloudMachine {
  /** What is made last: who depends on it comes after all of it. */
  readonly resource: pulumi.Resource;
  /** Unique at the cloud. */
  readonly providerId: pulumi.Output<string>;
  /** Where it is reached: its public address, else its private one. */
  readonly host: pulumi.Output<string>;
  readonly privateHost: pulumi.Output<string>;
  readonly zone: pulumi.Output<string>;
  /** What else the cloud says of it that its attributes keep. */
  readonly attributes?: Readonly<Record<string, pulumi.Output<string>>>;
}

export interface CloudNetworkSpec {
  readonly environment: string;
  readonly environmentId: pulumi.Input<string>;
  readonly region: string;
  /** Zones that get a subnet; empty: the region's first three, or one subnet where zones share it. */
  readonly zones: readonly string[];
  /** From where SSH is let in: CIDR blocks. Never everywhere, unless that is meant. */
  readonly sshFrom: readonly string[];
  /** The settings' owner has written why SSH is open to everyone. */
  readonly isOpenOnPurpose?: boolean;
  /** The master's port, where a machine of this network carries it. It is let in from the network itself and from `masterFrom`. */
  readonly masterPort?: number;
  /** CIDR blocks of other sites' agents and of people. */
  readonly masterFrom: readonly string[];
}

/** The tags of what a cloud makes for us. */
export const tagNames = {
  environmentId: "spillway:environment-id",
  environment: "spillway:environment",
  pool: "spillway:pool",
  node: "spillway:node",
  burst: "spillway:burst",
} as const;

/** Everything is told by tags whose it is, and never by its name. */
export function tagsOf({ environment, environmentId, pool, name, burst }: CloudIdentity): Record<string, pulumi.Input<string>> {
  return {
    [tagNames.environmentId]: environmentId,
    [tagNames.environment]: environment,
    [tagNames.pool]: pool,
    [tagNames.node]: name,
    ...(burst === undefined ? {} : { [tagNames.burst]: burst }),
  };
}
