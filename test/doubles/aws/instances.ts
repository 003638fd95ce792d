/** Keeps moto's instances and the machines in step: what the cloud says decides, but a machine that ends itself is believed too. */
import {
  DescribeInstanceAttributeCommand,
  DescribeInstancesCommand,
  EC2Client,
  type Instance,
  StopInstancesCommand,
  TerminateInstancesCommand,
} from "@aws-sdk/client-ec2";
import type { HostMaker, PlacedHost } from "../cloud-hosts.ts";
import type { InstanceStateName, ShownInstance } from "./ec2-answers.ts";

export interface CloudInstance<Host extends PlacedHost> {
  readonly id: string;
  readonly region: string;
  /** Moto's last word on it. */
  readonly description: Instance;
  readonly host: Host;
  /** The lab's stand-in; undefined: it has no public one. */
  readonly publicAddress: string | undefined;
  readonly bootedAt: number;
}

interface Kept<Host extends PlacedHost> {
  readonly id: string;
  readonly region: string;
  description: Instance;
  readonly host: Host;
  publicAddress: string | undefined;
  /** What the machine was told last, and whether it has come to that. */
  told: "on" | "off" | "gone";
  reached: "new" | "on" | "off" | "gone";
  readonly runningFrom: number;
  readonly visibleFrom: number;
  readonly bootedAt: number;
  /** One thing after the other. */
  work: Promise<void>;
}

export interface InstanceKeeper<Host extends PlacedHost> {
  /** Looks at a region now, and starts what is to be done. */
  look(region: string): Promise<void>;
  /** What the answers show of it. */
  shown(instanceId: string): ShownInstance | undefined;
  /** All that have a machine, whatever their state. */
  present(): CloudInstance<Host>[];
  reboot(instanceId: string): void;
  /** Ends it from the cloud's side, as when a spot machine is taken away. */
  takeAway(instanceId: string): Promise<void>;
  /** What went wrong with machines, for whoever closes the cloud. */
  readonly problems: readonly Error[];
  /** All machines gone. */
  end(): Promise<void>;
}

export interface KeeperOptions<Host extends PlacedHost> {
  readonly motoUrl: string;
  readonly hosts: HostMaker<Host>;
  /** The lab's address in place of moto's public one. */
  readonly publicAddressFor: (motoAddress: string, region: string) => string;
  readonly pendingMs: () => number;
  readonly hiddenMs: () => number;
  readonly takeBootWithoutNetwork: () => boolean;
}

export function keepInstances<Host extends PlacedHost>(options: KeeperOptions<Host>): InstanceKeeper<Host> {
  const { hosts, publicAddressFor } = options;
  const kept = new Map<string, Kept<Host>>();
  const clients = new Map<string, EC2Client>();
  const problems: Error[] = [];
  let looks: Promise<void> = Promise.resolve();

  const clientOf = (region: string): EC2Client => {
    const known = clients.get(region);
    if (known !== undefined) return known;
    const made = motoClient(options.motoUrl, region);
    clients.set(region, made);
    return made;
  };
  const then = (instance: Kept<Host>, what: string, act: () => Promise<void>) => {
    instance.work = instance.work.then(act).catch((cause: unknown) => {
      problems.push(new Error(`${instance.id}: ${what}: ${String(cause)}`, { cause }));
    });
  };

  const adopt = async (region: string, description: Instance): Promise<Kept<Host>> => {
    const id = description.InstanceId ?? "";
    const { UserData } = await clientOf(region).send(new DescribeInstanceAttributeCommand({ InstanceId: id, Attribute: "userData" }));
    const publicAddress = description.PublicIpAddress === undefined ? undefined : publicAddressFor(description.PublicIpAddress, region);
    const host = hosts.place({
      instanceId: id,
      region,
      zone: description.Placement?.AvailabilityZone ?? "",
      userData: Buffer.from(UserData?.Value ?? "", "base64").toString("utf8"),
      hostname: description.PrivateDnsName?.split(".")[0] ?? id,
      publicAddress,
      hopLimit: description.MetadataOptions?.HttpPutResponseHopLimit ?? 1,
      network: !options.takeBootWithoutNetwork(),
    });
    const bootedAt = Date.now();
    const instance: Kept<Host> = {
      id,
      region,
      description,
      host,
      publicAddress,
      told: "off",
      reached: "new",
      runningFrom: bootedAt + options.pendingMs(),
      visibleFrom: bootedAt + options.hiddenMs(),
      bootedAt,
      work: Promise.resolve(),
    };
    kept.set(id, instance);
    return instance;
  };

  /** As the cloud does with a machine that does not start (user guide, "Instance terminates immediately"). */
  const giveUp = async (instance: Kept<Host>, error: unknown) => {
    await clientOf(instance.region).send(new TerminateInstancesCommand({ InstanceIds: [instance.id] }));
    throw error;
  };

  /** Brings the machine to where the cloud wants it. */
  const follow = (instance: Kept<Host>, wanted: "on" | "off" | "gone") => {
    if (instance.told === wanted || instance.told === "gone") return;
    instance.told = wanted;
    then(instance, `to be ${wanted}`, async () => {
      const { host } = instance;
      if (wanted === "on") await host.powerOn().catch((error: unknown) => giveUp(instance, error));
      else if (wanted === "gone") await host.destroy();
      else if (host.isOn()) await host.powerOff({ hard: false });
      instance.reached = wanted;
    });
  };

  /** A machine that has switched itself off: its shutdown behaviour says what that means (user guide, "instance initiated shutdown behavior"). */
  const believe = async (instance: Kept<Host>) => {
    instance.told = "off";
    instance.reached = "off";
    const client = clientOf(instance.region);
    const asked = { InstanceId: instance.id, Attribute: "instanceInitiatedShutdownBehavior" } as const;
    const { InstanceInitiatedShutdownBehavior: behaviour } = await client.send(new DescribeInstanceAttributeCommand(asked));
    const ids = { InstanceIds: [instance.id] };
    if (behaviour?.Value === "terminate") await client.send(new TerminateInstancesCommand(ids));
    else await client.send(new StopInstancesCommand(ids));
  };

  const lookAt = async (region: string) => {
    for (const description of await describeAll(clientOf(region))) {
      const state = description.State?.Name;
      const known = kept.get(description.InstanceId ?? "");
      if (known === undefined && state === "terminated") continue;
      const instance = known ?? (await adopt(region, description));
      instance.description = description;
      if (state === "running" && instance.told === "on" && instance.reached === "on" && !instance.host.isOn()) {
        await believe(instance);
        continue;
      }
      follow(instance, state === "terminated" ? "gone" : state === "stopped" ? "off" : "on");
      const { PublicIpAddress: motoPublic } = description;
      const publicAddress = motoPublic === undefined ? undefined : publicAddressFor(motoPublic, region);
      if (instance.told !== "gone" && publicAddress !== instance.publicAddress) {
        instance.publicAddress = publicAddress;
        then(instance, "public address", () => instance.host.setPublicAddress(publicAddress));
      }
    }
  };

  return {
    problems,
    look(region) {
      // One after the other, or an instance would be adopted twice.
      looks = looks.catch(() => undefined).then(() => lookAt(region));
      return looks;
    },
    shown(instanceId) {
      const instance = kept.get(instanceId);
      if (instance === undefined) return undefined;
      const addresses = new Map<string, string>();
      const { PrivateIpAddress: motoPrivate } = instance.description;
      if (motoPrivate !== undefined) addresses.set(motoPrivate, instance.host.address);
      return { state: shownState(instance), addresses, isHidden: Date.now() < instance.visibleFrom };
    },
    present: () => [...kept.values()].filter(({ reached }) => reached !== "gone"),
    reboot(instanceId) {
      const instance = kept.get(instanceId);
      if (instance?.told === "on") then(instance, "reboot", () => instance.host.reboot());
    },
    async takeAway(instanceId) {
      const instance = kept.get(instanceId);
      if (instance === undefined) throw new Error(`the cloud has no instance ${instanceId}`);
      await clientOf(instance.region).send(new TerminateInstancesCommand({ InstanceIds: [instanceId] }));
    },
    async end() {
      await looks.catch(() => undefined);
      for (const instance of kept.values()) follow(instance, "gone");
      await Promise.all([...kept.values()].map(({ work }) => work));
      for (const client of clients.values()) client.destroy();
    },
  };
}

/** A client that talks to moto itself, past the double. */
export function motoClient(motoUrl: string, region: string): EC2Client {
  const credentials = { accessKeyId: "double", secretAccessKey: "double" };
  return new EC2Client({ endpoint: motoUrl, region, credentials });
}

async function describeAll(client: EC2Client): Promise<Instance[]> {
  const found: Instance[] = [];
  let NextToken: string | undefined;
  do {
    const page = await client.send(new DescribeInstancesCommand({ MaxResults: 1000, ...(NextToken === undefined ? {} : { NextToken }) }));
    found.push(...(page.Reservations ?? []).flatMap(({ Instances }) => Instances ?? []));
    NextToken = page.NextToken;
  } while (NextToken !== undefined);
  return found;
}

/** Moto knows no way between two states; a machine does. Undefined: moto's word holds. */
function shownState({ description, reached, runningFrom }: Kept<PlacedHost>): InstanceStateName | undefined {
  const state = description.State?.Name;
  if (state === "running" && (reached === "new" || reached === "off" || Date.now() < runningFrom)) return "pending";
  if (state === "stopped" && reached !== "off") return "stopping";
  if (state === "terminated" && reached !== "gone") return "shutting-down";
  return undefined;
}
