/**
 * What things are called at Azure. The names are explicit and follow from whose they are, so that there can be no second one of
 * anything: Azure's PUT is idempotent, and Pulumi's provider refuses to make what exists, which is then taken over or deleted.
 */
import { createHash } from "node:crypto";

/** The group of an environment in one region: its network, and the machines of its node pools there. At most 90 characters (Azure's naming rules). */
export function environmentGroupName(environmentId: string, region: string): string {
  return `spillway-${environmentId}-${region}`;
}

/** The group of one burst: all that it buys. */
export function burstGroupName(environmentId: string, burst: string): string {
  return `spillway-${environmentId}-${burst}`;
}

/** The ARM id of a machine. */
export function virtualMachineId({
  subscription,
  resourceGroup,
  name,
}: {
  subscription: string;
  resourceGroup: string;
  name: string;
}): string {
  return `/subscriptions/${subscription}/resourceGroups/${resourceGroup}/providers/Microsoft.Compute/virtualMachines/${name}`;
}

/** A UUID that follows from the words: role definitions and role assignments may have no other names. */
export function uuidOf(...words: readonly string[]): string {
  const hex = createHash("sha256").update(words.join("\n")).digest("hex");
  // Version 8 and the variant of RFC 9562: a UUID of one's own making.
  return [hex.slice(0, 8), hex.slice(8, 12), `8${hex.slice(13, 16)}`, `8${hex.slice(17, 20)}`, hex.slice(20, 32)].join("-");
}

/** The name of the role that an environment has for its bursts' machines. */
export function ownGroupRoleUuid(environmentId: string): string {
  return uuidOf(environmentId, "end-own-group");
}
