/** The one thing of an environment that no search by its tag finds: its role at Azure, which can bear none. */
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import { deleteEnvironmentRole, type EnvironmentRole, environmentRole } from "../../providers/azure/environment-role.ts";
import type { CloudScopes } from "../cloud-scopes.ts";

/** Undefined where there is none, or nothing of the environment was ever at Azure. Throws `cloud-…` when Azure can't be asked. */
export async function roleAtAzure(environmentId: string, clouds: CloudScopes): Promise<EnvironmentRole | undefined> {
  return clouds.azure === undefined ? undefined : await environmentRole(environmentId, clouds.azure);
}

/** Whether one of the ids is the role's; pure. One id is written with one slash at its beginning or two: its scope begins with one. */
export function namesRole(ids: Iterable<string>, role: EnvironmentRole): boolean {
  const plain = (id: string) => id.toLowerCase().replace(/^\/+/, "");
  return [...ids].some((id) => plain(id) === plain(role.id));
}

export async function deleteRole(role: EnvironmentRole): Promise<void> {
  await withCrashPoint("cloud.sweep", () => deleteEnvironmentRole(role));
}
