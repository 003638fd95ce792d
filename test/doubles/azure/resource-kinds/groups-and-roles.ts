/**
 * ResourceGroup, RoleDefinition, RoleAssignment. Inputs: @pulumi/azure-native 3.28 `resources/resourceGroup.d.ts` and
 * `authorization/role{Definition,Assignment}.d.ts`; where each stands: the REST references of Microsoft.Resources and Microsoft.Authorization.
 */
import { armKind, location, nameIn, ownName, tags } from "../arm-kind.ts";

const docs = "https://www.pulumi.com/registry/packages/azure-native/api-docs";
const scope = { type: "string", required: true, replaces: true } as const;

export const resourceGroup = armKind({
  source: `${docs}/resources/resourcegroup/`,
  apiVersion: "2024-03-01",
  names: { resourceGroupName: ownName },
  id: (inputs, subscription) => `/subscriptions/${subscription}/resourceGroups/${nameIn(inputs, "resourceGroupName")}`,
  namesOf: (id) => ({ resourceGroupName: id.split("/")[4] }),
  inputs: { location, tags },
  shape: { beside: ["location", "tags"] },
  keepsProperties: true,
  hasLocation: true,
  computed: ["properties"],
});

export const roleDefinition = armKind({
  source: `${docs}/authorization/roledefinition/`,
  apiVersion: "2022-05-01-preview",
  names: { scope, roleDefinitionId: ownName },
  id: (inputs) => `${String(inputs.scope)}/providers/Microsoft.Authorization/roleDefinitions/${nameIn(inputs, "roleDefinitionId")}`,
  namesOf: (id) => ({ scope: id.split("/providers/")[0], roleDefinitionId: id.split("/").at(-1) }),
  inputs: {
    roleName: { type: "string", required: true },
    description: { type: "string" },
    assignableScopes: { type: "strings", required: true },
    permissions: {
      type: "objects",
      required: true,
      of: {
        actions: { type: "strings" },
        notActions: { type: "strings" },
        dataActions: { type: "strings" },
        notDataActions: { type: "strings" },
      },
    },
  },
  shape: { beside: [] },
  computed: ["roleType", "createdOn", "updatedOn", "createdBy", "updatedBy"],
});

export const roleAssignment = armKind({
  source: `${docs}/authorization/roleassignment/`,
  apiVersion: "2022-04-01",
  names: { scope, roleAssignmentName: ownName },
  id: (inputs) => `${String(inputs.scope)}/providers/Microsoft.Authorization/roleAssignments/${nameIn(inputs, "roleAssignmentName")}`,
  namesOf: (id) => ({ scope: id.split(/\/providers\/Microsoft\.Authorization\//i)[0], roleAssignmentName: id.split("/").at(-1) }),
  inputs: {
    // No assignment can be changed: "PUT … RoleAssignmentUpdateNotPermitted".
    roleDefinitionId: { type: "string", required: true, replaces: true },
    principalId: { type: "string", required: true, replaces: true },
    // Without it Azure looks for the principal, and may not find one that was just made; the SDK says User.
    principalType: { type: "string", oneOf: ["ServicePrincipal"], replaces: true },
  },
  shape: { beside: [] },
  computed: ["createdOn", "updatedOn", "createdBy", "updatedBy"],
});
