/** The Pulumi resources of one machine of a cloud: what it is born with, the machine, and the host that we know by its own key. */
import * as pulumi from "@pulumi/pulumi";
import type { CredentialReference, JumpHost } from "../agent/contract/machine.ts";
import type { Resources } from "../agent/contract/resources.ts";
import { CloudHost } from "../providers/cloud-host.ts";
import type { CloudIdentity, CloudMachineSpec } from "../providers/cloud-machine.ts";
import { MachineSeed } from "../providers/machine-seed.ts";
import { cloudUser } from "../providers/user-data.ts";
import { type CloudName, type Clouds, cloudMaker, type NetworkIds } from "./clouds.ts";
import type { MadeMachine } from "./machine-resource.ts";

export interface CloudMachineWish {
  readonly cloud: CloudName;
  readonly identity: CloudIdentity;
  readonly spec: Omit<CloudMachineSpec, "userData">;
  readonly network: pulumi.Input<NetworkIds>;
  readonly credential: CredentialReference;
  readonly authorizedKeys: readonly string[];
  readonly jump?: JumpHost | undefined;
  readonly bootTimeoutMs: number;
  readonly labels: Readonly<Record<string, string>>;
  /** USD/hour with disk and address, where it is known. */
  readonly hourly?: number | undefined;
  /** The cloud's id of a machine that is there already and is taken over, unless it is recorded. */
  readonly found?: string | undefined;
  /** What tasks may use of it; without it its agent measures. */
  readonly capacity?: Resources | undefined;
}

export function cloudMachineResource(wish: CloudMachineWish, clouds: Clouds, options: pulumi.CustomResourceOptions): MadeMachine {
  const { cloud, identity, spec, network, credential, authorizedKeys, jump, bootTimeoutMs, labels, hourly, found, capacity } = wish;
  const { name, pool, burst, environmentId } = identity;
  const seed = new MachineSeed(`seed-${name}`, { name, user: cloudUser, authorizedKeys: [...authorizedKeys] }, options);
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
      privateHost: made.privateHost,
      user: cloudUser,
      credential,
      seedHostKey: seed.hostKey,
      bootTimeoutMs,
      labels: { ...labels },
      attributes: pulumi.output({ cloud, region, zone: made.zone, instanceType, market, arch, ...made.attributes }).apply(withoutEmpty),
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

/** A machine may have no zone. */
function withoutEmpty(attributes: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== ""));
}
