/** Azure Resource Manager's ids: `/subscriptions/…/resourceGroups/…/providers/<namespace>/<type>/<name>`. They are compared without regard to case. */

export interface ArmId {
  readonly subscription: string;
  readonly resourceGroup: string;
  /** `Microsoft.Compute/virtualMachines`; of a child with its parents' types: `Microsoft.Network/virtualNetworks/subnets`. Empty for a resource group. */
  readonly type: string;
  readonly name: string;
}

/** Throws a plain Error for what is no id of a resource group or of something in one. */
export function parseArmId(id: string): ArmId {
  const match = /^\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)(?:\/providers\/([^/]+)\/(.+))?$/i.exec(id);
  const [, subscription, resourceGroup, namespace, path] = match ?? [];
  if (subscription === undefined || resourceGroup === undefined) throw new Error(`bug: "${id}" is no id of Azure Resource Manager`);
  if (namespace === undefined || path === undefined) return { subscription, resourceGroup, type: "", name: resourceGroup };
  const parts = path.split("/");
  const types = parts.filter((_part, index) => index % 2 === 0);
  return { subscription, resourceGroup, type: [namespace, ...types].join("/"), name: parts.at(-1) ?? "" };
}

/**
 * One spelling for one machine. Azure Compute writes the same group in capitals in some of its answers and not in others, and
 * a provider id is compared as a string.
 */
export function machineId(id: string): string {
  const { subscription, resourceGroup, name } = parseArmId(id);
  return `/subscriptions/${subscription}/resourceGroups/${resourceGroup}/providers/Microsoft.Compute/virtualMachines/${name}`.toLowerCase();
}

export function isSameId(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}
