/** Machines of Azure as it knows them. They are made by `virtual-machine.ts`; here they are looked at, started, listed and deleted. */
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { Machine } from "../../agent/contract/machine.ts";
import { canDial } from "../can-dial.ts";
import type { ListedThing, Listing, ListScope, MachineStatus, Provider } from "../provider.ts";
import { parseArmId } from "./arm-id.ts";
import { azureClients } from "./client.ts";
import { deleteAzureThing, deleteMachine, isAnother } from "./delete.ts";
import { endArgv } from "./end-script.ts";
import { ifThere, listAzure } from "./list.ts";
import { untilDone, untilSo } from "./patience.ts";
import { powerOf } from "./power.ts";
import { withAzureErrors } from "./problem.ts";

/** A machine that starts answers after less than a minute; its network may take longer. */
const longestBootMs = 5 * 60_000;

export const azureProvider: Provider = {
  name: "azure",
  isCloud: true,

  status: (machine: Machine) => withAzureErrors(whereIs(machine), () => statusOf(machine)),

  async start(machine: Machine): Promise<void> {
    const where = whereIs(machine);
    await withAzureErrors(where, async () => {
      const status = await statusOf(machine);
      if (status === "running") return;
      if (status === "gone")
        throw new SpillwayError("Azure has no such machine", { code: "machine-gone", where, hint: "The next up makes it anew." });
      const { subscription, resourceGroup, name } = parseArmId(machine.providerId);
      const { compute, pollMs } = await azureClients(subscription);
      const options = { updateIntervalInMs: pollMs };
      await withCrashPoint("cloud.start", () => untilDone(compute.virtualMachines.start(resourceGroup, name, options), where));
      // Behind a jump host only a login tells, and nobody logs in to one that joins by itself.
      if (machine.jump !== undefined || machine.join !== undefined) return;
      await untilSo(() => canDial(machine.host, machine.port), where, { firstPauseMs: pollMs, deadlineMs: longestBootMs });
    });
  },

  delete: (machine: Machine) => withAzureErrors(whereIs(machine), () => deleteMachine(machine, whereIs(machine))),

  /** Empty for an environment that has never been at Azure: then nobody needs to be logged in there. */
  async list(environmentId: string, { clouds }: ListScope): Promise<Listing> {
    if (clouds.azure === undefined) return { machines: [], things: [], unasked: [] };
    return { ...(await listAzure(environmentId, clouds.azure)), unasked: [] };
  },

  deleteThing(thing: ListedThing): Promise<void> {
    const where = `${thing.kind} ${thing.id}`;
    return withAzureErrors(where, () => deleteAzureThing(thing, where));
  },

  /** Only what is bought for a while can end itself: no other machine has an identity. */
  endCommand: ({ burst, providerId }: Machine) =>
    burst === undefined ? [] : endArgv(providerId, process.env.SPILLWAY_AZURE_ENDPOINT?.replace(/\/+$/, "")),
};

async function statusOf(machine: Machine): Promise<Exclude<MachineStatus, "silent">> {
  const { subscription, resourceGroup, name } = parseArmId(machine.providerId);
  const { compute } = await azureClients(subscription);
  const vm = await ifThere(compute.virtualMachines.get(resourceGroup, name, { expand: "instanceView" }));
  if (vm === undefined || isAnother(machine, vm)) return "gone";
  return powerOf((vm.instanceView?.statuses ?? []).map(({ code }) => code));
}

function whereIs({ name, providerId }: Machine): string {
  return `machine ${name} (${providerId})`;
}
