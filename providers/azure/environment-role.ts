/**
 * The role of an environment as Azure has it. Role definitions bear no tags ("Role Definitions - Create Or Update" of the REST
 * reference knows none) and are in no group, so that no search by the environment's tag finds it: it is asked for by its id,
 * which follows from the environment's, and is taken for ours only while its name holds that id too.
 */
import type { CloudScope } from "../provider.ts";
import { azureClients, currentSubscription } from "./client.ts";
import { ifThere, pathOf } from "./list.ts";
import { ownGroupRoleUuid } from "./names.ts";
import { untilDone } from "./patience.ts";
import { withAzureErrors } from "./problem.ts";

/** The newest stable version of Microsoft.Authorization's role definitions. */
const roleApi = "2022-04-01";

export interface EnvironmentRole {
  /** Its ARM id, in the subscription. */
  readonly id: string;
  readonly subscription: string;
}

/** Undefined where there is none. Throws `cloud-…` when Azure can't be asked. */
export async function environmentRole(environmentId: string, scope: CloudScope): Promise<EnvironmentRole | undefined> {
  const clients = await azureClients(scope.subscription ?? currentSubscription());
  const { subscription } = clients;
  const id = `/subscriptions/${subscription}/providers/Microsoft.Authorization/roleDefinitions/${ownGroupRoleUuid(environmentId)}`;
  return withAzureErrors(`role ${id}`, async () => {
    const found = await ifThere(clients.resources.resources.getById(pathOf(id), roleApi));
    const name: unknown = found?.properties?.roleName;
    return typeof name === "string" && name.includes(environmentId) ? { id, subscription } : undefined;
  });
}

/** One that is gone already is fine. Azure refuses to delete a role that somebody has: bursts' machines go first. */
export async function deleteEnvironmentRole({ id, subscription }: EnvironmentRole): Promise<void> {
  const where = `role ${id}`;
  const { resources, pollMs } = await azureClients(subscription);
  await withAzureErrors(where, () =>
    ifThere(untilDone(resources.resources.deleteById(pathOf(id), roleApi, { updateIntervalInMs: pollMs }), where)),
  );
}
