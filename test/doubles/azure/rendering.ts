/** How Azure writes what it holds: in full, as a line of a list, as a state. */
import { type Held, machineType } from "./resources.ts";

export function isMachine({ type }: Held): boolean {
  return type.toLowerCase() === machineType.toLowerCase();
}

/** The whole of it; secrets that were sent never come back. */
export function shown(held: Held): object {
  const { id, name, type, location, tags, zones, identity, managedBy, sku, properties } = held;
  const { osProfile, ...others } = (properties ?? {}) as { osProfile?: Record<string, unknown> };
  const { customData: _customData, ...told } = osProfile ?? {};
  return {
    id,
    name,
    type,
    location,
    tags,
    zones,
    identity,
    managedBy,
    sku,
    properties: {
      ...others,
      ...(osProfile === undefined ? {} : { osProfile: told }),
      ...(type.startsWith("Microsoft.Authorization/") ? {} : { provisioningState: provisioningState(held) }),
    },
  };
}

function provisioningState({ isDeleting, state }: Held): string {
  return isDeleting ? "Deleting" : (state ?? "Succeeded");
}

/** As lists of resources show it: without properties. */
export function generic({ id, name, type, location, tags, zones, managedBy }: Held): object {
  return { id, name, type, location, tags, zones, managedBy };
}

/** Azure Compute writes the group's name in capitals when it lists machines of a whole subscription. */
export function inCapitals(vm: object): object {
  const { id } = vm as { id: string };
  return { ...vm, id: id.replace(/(\/resourceGroups\/)([^/]+)/i, (_whole, before: string, group: string) => before + group.toUpperCase()) };
}

export function statusOnly(vm: Held): object {
  return { id: vm.id, name: vm.name, type: vm.type, location: vm.location, properties: { instanceView: { statuses: statusesOf(vm) } } };
}

/** A machine as it is read with `$expand=instanceView`. */
export function withInstanceView(vm: Held): object {
  const whole = shown(vm) as { properties: object };
  return { ...whole, properties: { ...whole.properties, instanceView: { statuses: statusesOf(vm) } } };
}

/** One whose making has failed has no power state: it was never on. */
export function statusesOf(held: Held): object[] {
  const { power, state } = held;
  const provisioning = { code: `ProvisioningState/${provisioningState(held).toLowerCase()}`, level: "Info", displayStatus: "Provisioning" };
  if (state === "Failed") return [provisioning];
  return [provisioning, { code: `PowerState/${power}`, level: "Info", displayStatus: `VM ${power}` }];
}
