/** Machines of AWS as EC2 knows them. They are made by `instance.ts`; here they are looked at, started, listed and deleted. */
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { Machine } from "../../agent/contract/machine.ts";
import { canDial } from "../can-dial.ts";
import type { ListedThing, Listing, ListScope, MachineStatus, Provider } from "../provider.ts";
import { allOf, askRegion } from "./client.ts";
import { deleteAwsThing } from "./delete-thing.ts";
import { listAws, statusOf } from "./list.ts";
import { type Patience, patiently } from "./patience.ts";
import { awsCode } from "./problem.ts";

export interface AwsTiming {
  /** How long a machine that AWS does not find may still be one that was made a moment ago. */
  readonly unseen: Patience;
  /** Until a machine has started, can be dialled, or has ended; until nothing hangs on a thing. */
  readonly change: Patience;
  /** Whether an SSH server lets itself be dialled there. */
  readonly canDial: (host: string, port: number) => Promise<boolean>;
}

const second = 1000;

const defaults: AwsTiming = {
  // "Eventual consistency", in the EC2 API's guide: a command may not see for some seconds what the one before it made.
  unseen: { firstPauseMs: second, longestPauseMs: 4 * second, totalMs: 7 * second },
  // A whole host without a hypervisor takes many minutes to start and to end; all others less than two.
  change: { firstPauseMs: second, longestPauseMs: 10 * second, totalMs: 15 * 60 * second },
  canDial,
};

export const awsProvider: Provider = awsProviderWith({});

/** The provider with other times than AWS needs, for one that answers at once. */
export function awsProviderWith(other: Partial<AwsTiming>): Provider {
  const timing = { ...defaults, ...other };
  return {
    name: "aws",
    isCloud: true,

    status: (machine: Machine) => statusWithin(machine, timing.unseen),

    start: (machine: Machine) => start(machine, timing),

    async delete(machine: Machine): Promise<void> {
      const isKnown = await withCrashPoint("cloud.delete", () => patiently(timing.unseen, () => terminate(machine)));
      if (isKnown !== true) return;
      const ended = await patiently(timing.change, async () => {
        // What AWS has just ended it can't have forgotten: not found is as good as terminated from here on.
        const instance = await instanceOf(machine);
        return instance === undefined || instance.status === "gone" ? true : undefined;
      });
      if (ended !== true)
        throw notThereYet(
          machine,
          "AWS has been asked to end it, and it still exists",
          "Run it again; until AWS has ended it, its disk may be billed.",
        );
    },

    async list(environmentId: string, { clouds }: ListScope): Promise<Listing> {
      return listAws(environmentId, clouds.aws?.regions ?? []);
    },

    deleteThing: (thing: ListedThing) => deleteAwsThing(thing, timing.change),

    /** A burst ends with that, since it was made so; a node pool's machine stops, and only its disk and a fixed address cost. */
    endCommand: () => ["/bin/sh", "-c", powerOffScript],
  };
}

/**
 * As root, or as one who may use sudo without a password, which the login of a cloud's machine may. `halt` would leave the
 * machine running for AWS: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_ChangingInstanceInitiatedShutdownBehavior.html
 */
const powerOffScript = `[ "$(id -u)" = 0 ] && exec systemctl poweroff
exec sudo -n systemctl poweroff`;

async function statusWithin(machine: Machine, unseen: Patience): Promise<MachineStatus> {
  return (await patiently(unseen, async () => (await instanceOf(machine))?.status)) ?? "gone";
}

async function start(machine: Machine, timing: AwsTiming): Promise<void> {
  const status = await statusWithin(machine, timing.unseen);
  if (status === "running") return;
  if (status === "gone" || (await instanceOf(machine))?.state === "shutting-down") throw gone(machine);
  const isTaken = await withCrashPoint("cloud.start", () => patiently(timing.change, () => askToStart(machine)));
  if (isTaken !== true) throw notThereYet(machine, "it has not stopped yet, and only then can be started", "Run it again.");
  const isUp = await patiently(timing.change, async () => {
    const instance = await instanceOf(machine);
    if (instance === undefined || instance.status === "gone") throw gone(machine);
    if (instance.state !== "running") return undefined;
    // Behind a jump host only a login tells, and nobody logs in to one that joins by itself. Without a fixed address it has another one after each start.
    return machine.jump !== undefined || machine.join !== undefined || (await timing.canDial(instance.host ?? machine.host, machine.port))
      ? true
      : undefined;
  });
  if (isUp !== true)
    throw notThereYet(
      machine,
      "AWS has started it, and it can't be dialled",
      "Look at its console output in AWS, and whether its security group lets this computer in.",
    );
}

/** True once AWS takes it; undefined while the machine is still stopping. */
async function askToStart(machine: Machine): Promise<true | undefined> {
  return askRegion(regionOf(machine), whereIs(machine), async (ec2) => {
    try {
      await ec2.startInstances({ InstanceIds: [machine.providerId] });
      return true;
    } catch (error) {
      if (awsCode(error) === "IncorrectInstanceState") return undefined;
      throw error;
    }
  });
}

/** True when AWS knows the machine and ends it; undefined when it finds none. */
async function terminate(machine: Machine): Promise<true | undefined> {
  return askRegion(regionOf(machine), whereIs(machine), async (ec2) => {
    try {
      await ec2.terminateInstances({ InstanceIds: [machine.providerId] });
      return true;
    } catch (error) {
      if (awsCode(error) === "InvalidInstanceID.NotFound") return undefined;
      throw error;
    }
  });
}

/** What AWS says of it; undefined when it finds none. */
async function instanceOf(machine: Machine) {
  return askRegion(regionOf(machine), whereIs(machine), async (ec2) => {
    // By filter, so that one that is not there is an empty answer; by id it would be an error.
    const Filters = [{ Name: "instance-id", Values: [machine.providerId] }];
    const reservations = await allOf(ec2.paginateDescribeInstances({ Filters }), (page) => page.Reservations);
    const instance = reservations.flatMap(({ Instances = [] }) => Instances)[0];
    if (instance === undefined) return undefined;
    const { State, PublicIpAddress, PrivateIpAddress } = instance;
    return { state: State?.Name, status: statusOf(State?.Name), host: PublicIpAddress ?? PrivateIpAddress };
  });
}

function regionOf(machine: Machine): string {
  const { region } = machine.attributes;
  if (region !== undefined) return region;
  throw new Error(`bug: the AWS machine ${machine.name} has no region`);
}

function whereIs({ name, providerId, attributes }: Machine): string {
  return `machine ${name} (${providerId} in AWS ${attributes.region ?? "?"})`;
}

function gone(machine: Machine): SpillwayError {
  return new SpillwayError("AWS has ended it", { code: "machine-gone", where: whereIs(machine), hint: "The next up makes it anew." });
}

function notThereYet(machine: Machine, message: string, hint: string): SpillwayError {
  return new SpillwayError(message, { code: "cloud-timeout", where: whereIs(machine), hint });
}
