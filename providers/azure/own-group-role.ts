/**
 * What a burst's machine may do at Azure: end itself and, when it is the last, its burst's group. Nothing else, nowhere else.
 *
 * A machine that is only switched off is still billed, so one that has lost its master has to delete itself. No built-in role
 * is as narrow: the least that may delete a group, Contributor, may also make machines in it. So the environment has a role of
 * its own, and each machine of a burst is given it over its burst's group alone. Giving it takes a second or two and is part
 * of the launch; it may take Azure up to ten minutes to know it everywhere (Microsoft's page "Troubleshoot Azure RBAC"),
 * which is why a dead man's timer must be longer than that.
 */
import { RoleAssignment } from "@pulumi/azure-native/authorization/roleAssignment.js";
import { RoleDefinition } from "@pulumi/azure-native/authorization/roleDefinition.js";
import * as pulumi from "@pulumi/pulumi";
import { parseArmId } from "./arm-id.ts";
import { ownGroupRoleUuid, uuidOf } from "./names.ts";
import type { AzureOptions } from "./native-provider.ts";

/** To delete a group is enough to delete all that is in it; the others are for a machine that goes before its siblings. */
const actions = [
  "Microsoft.Resources/subscriptions/resourceGroups/delete",
  "Microsoft.Compute/virtualMachines/read",
  "Microsoft.Compute/virtualMachines/delete",
  "Microsoft.Compute/disks/delete",
  "Microsoft.Network/networkInterfaces/delete",
  "Microsoft.Network/publicIPAddresses/delete",
];

interface OwnGroupRoleSpec {
  readonly environment: string;
  readonly environmentId: pulumi.Input<string>;
  /** Of any of the environment's networks: it names the subscription. */
  readonly subnetId: pulumi.Input<string>;
}

/** The environment's role, once for all its regions. Who makes it must be owner or user access administrator of the subscription. */
export function makeOwnGroupRole(
  name: string,
  { environment, environmentId, subnetId }: OwnGroupRoleSpec,
  options: AzureOptions,
): RoleDefinition {
  const scope = pulumi.output(subnetId).apply((id) => `/subscriptions/${parseArmId(id).subscription}`);
  return new RoleDefinition(
    name,
    {
      roleDefinitionId: pulumi.output(environmentId).apply(ownGroupRoleUuid),
      // Unique in the whole directory, which may hold many environments of one name.
      roleName: pulumi.interpolate`Spillway ${environment}: end the own burst (${environmentId})`,
      description: "A machine that was bought for a while may delete itself and the resource group of its burst.",
      scope,
      assignableScopes: [scope],
      permissions: [{ actions }],
    },
    options,
  );
}

interface OwnGroupSpec {
  readonly environmentId: pulumi.Input<string>;
  readonly burst: string;
  readonly machine: string;
  /** Of the burst's group: its ARM id. */
  readonly groupId: pulumi.Input<string>;
  readonly principalId: pulumi.Input<string>;
}

/** Gives a machine's identity that role over its burst's group. It goes with the group. */
export function allowOwnGroup(name: string, spec: OwnGroupSpec, options: AzureOptions): RoleAssignment {
  const { environmentId, burst, machine, groupId, principalId } = spec;
  const ids = pulumi.all([environmentId, groupId]);
  return new RoleAssignment(
    name,
    {
      roleAssignmentName: ids.apply(([id]) => uuidOf(id, burst, machine)),
      roleDefinitionId: ids.apply(
        ([id, group]) =>
          `/subscriptions/${parseArmId(group).subscription}/providers/Microsoft.Authorization/roleDefinitions/${ownGroupRoleUuid(id)}`,
      ),
      scope: groupId,
      principalId,
      // Without it Azure looks the principal up first, and one that was just made is not found.
      principalType: "ServicePrincipal",
    },
    options,
  );
}
