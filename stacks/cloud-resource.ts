/** The Pulumi resources of one machine of a cloud: what it is born with, the machine, and the host that we know by its own key. */
import * as pulumi from "@pulumi/pulumi";
import type { CredentialReference, JumpHost } from "../agent/contract/machine.ts";
import type { Resources } from "../agent/contract/resources.ts";
import { CloudHost } from "../providers/cloud-host.ts";
import type { CloudIdentity, CloudMachineSpec } from "../providers/cloud-machine.ts";
import { MachineSeed, type MachineSeedArgs } from "../providers/machine-seed.ts";
import { cloudUser } from "../providers/user-data.ts";
import { type CloudName, type Clouds, cloudMaker, type NetworkIds } from "./clouds.ts";
import type { MadeMachine } from "./machine-resource.ts";

/** ms that a new machine may take to fetch its bundle and to join, beside what it takes to boot. */
const fetchMs = 300_000;
/** ms; the longest life of a token. */
const longestLifeMs = 7_200_000;

export interface CloudMachineWish {
  readonly cloud: CloudName;
  readonly identity: CloudIdentity;
  readonly spec: Omit<CloudMachineSpec, "userData">;
  readonly network: pulumi.Input<NetworkIds>;
  readonly credential: CredentialReference;
  readonly authorizedKeys: readonly string[];
  readonly jump?: JumpHost | undefined;
  /** For machines that join by themselves; undefined: they are connected to. */
  readonly selfJoin?: SelfJoining | undefined;
  /** Of a burst that is connected to: ms after which it ends itself if no agent was installed. */
  readonly unclaimedMs?: number | undefined;
  readonly bootTimeoutMs: number;
  readonly labels: Readonly<Record<string, string>>;
  /** USD/hour with disk and address, where it is known. */
  readonly hourly?: pulumi.Input<number> | undefined;
  /** The cloud's id of a machine that is there already, in no state, and is taken over. */
  readonly found?: string | undefined;
  /** What tasks may use of it; without it its agent measures. */
  readonly capacity?: Resources | undefined;
}

/** What a machine that nobody connects to is born with, beside its own name. */
export interface SelfJoining {
  /** The master, and the right to ask it for a token. */
  readonly endpoint: pulumi.Input<string>;
  readonly caCert: pulumi.Input<string>;
  readonly adminToken: pulumi.Input<string>;
  /** The https origin by which the machine reaches the master, where that is another. */
  readonly dials?: pulumi.Input<string> | undefined;
  /** Of a burst: welcomed by no master for so long, it ends itself. */
  readonly deadManMs?: number | undefined;
}

export function cloudMachineResource(wish: CloudMachineWish, clouds: Clouds, options: pulumi.CustomResourceOptions): MadeMachine {
  const { cloud, identity, spec, network, credential, authorizedKeys, jump, selfJoin, bootTimeoutMs, labels, hourly, found, capacity } =
    wish;
  const { name, pool, burst, environmentId } = identity;
  const seed = new MachineSeed(
    `seed-${name}`,
    {
      name,
      user: cloudUser,
      authorizedKeys: [...authorizedKeys],
      ...(selfJoin === undefined ? connectedArgs(wish, clouds) : joinArgs(wish, selfJoin, clouds)),
    },
    options,
  );
  const made = cloudMaker(clouds, cloud).machine({ ...spec, userData: seed.userData }, identity, network, {
    ...options,
    ...(found === undefined ? {} : { import: found }),
  });
  const { region, instanceType, market, arch } = spec;
  const resource = new CloudHost(
    name,
    {
      environmentId,
      name,
      pool,
      provider: cloud,
      providerId: made.providerId,
      host: made.host,
      // A cloud that tells none is dialled as from outside.
      privateHost: pulumi.all([made.host, made.privateHost]).apply(([host, inside]) => (inside === "" ? host : inside)),
      user: cloudUser,
      credential,
      seedHostKey: seed.hostKey,
      bootTimeoutMs,
      labels: { ...labels },
      attributes: pulumi.output({ cloud, region, zone: made.zone, instanceType, market, arch, ...made.attributes }).apply(withoutEmpty),
      ...(selfJoin === undefined ? {} : { join: "cloud-init" }),
      ...(jump === undefined ? {} : { jump }),
      ...(hourly === undefined ? {} : { price: { hourly } }),
      ...(burst === undefined ? {} : { burst }),
      ...(capacity === undefined ? {} : { capacity }),
    },
    // `host` may be known before all of the machine is there.
    { ...options, dependsOn: [made.resource] },
  );
  return { resource, machine: resource.machine, privateHost: resource.privateHost };
}

/** With other keys it is another seed: a machine that its cloud takes away must not come back with the keys of former times. */
function bornWith(authorizedKeys: readonly string[]): string {
  return JSON.stringify({ authorizedKeys });
}

/** What is given to the seed of a machine that is connected to. */
function connectedArgs(
  { cloud, identity, network, authorizedKeys, unclaimedMs }: CloudMachineWish,
  clouds: Clouds,
): Pick<MachineSeedArgs, "born" | "unclaimed"> {
  const born = bornWith(authorizedKeys);
  const { burst } = identity;
  if (burst === undefined || unclaimedMs === undefined) return { born };
  const providerId = cloudMaker(clouds, cloud).providerIdOf?.(identity, network);
  return { born, unclaimed: { cloud, burst, afterMs: unclaimedMs, ...(providerId === undefined ? {} : { providerId }) } };
}

/** What is given to the seed of a machine that joins by itself. */
function joinArgs(
  { cloud, identity, spec, network, bootTimeoutMs }: CloudMachineWish,
  { endpoint, caCert, adminToken, dials, deadManMs }: SelfJoining,
  clouds: Clouds,
): Pick<MachineSeedArgs, "born" | "join" | "endpoint" | "caCert" | "adminToken"> {
  const { region, zone = "", instanceType, arch, market, image, diskGiB } = spec;
  const { environment, environmentId, burst } = identity;
  const providerId = cloudMaker(clouds, cloud).providerIdOf?.(identity, network);
  return {
    // Another one is another machine, which needs a token of its own.
    born: pulumi.output(instanceType).apply((type) => JSON.stringify({ region, zone, instanceType: type, market, image, diskGiB })),
    endpoint,
    caCert,
    adminToken,
    join: {
      cloud,
      arch,
      environment,
      environmentId,
      // Made, booted, its bundle fetched.
      lifeMs: Math.min(longestLifeMs, bootTimeoutMs + fetchMs),
      ...(dials === undefined ? {} : { dials }),
      ...(burst === undefined ? {} : { burst }),
      ...(deadManMs === undefined ? {} : { deadManMs }),
      ...(providerId === undefined ? {} : { providerId }),
    },
  };
}

/** A machine may have no zone. */
function withoutEmpty(attributes: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== ""));
}
