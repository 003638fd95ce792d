/** Who may do what: role assignments as "Steps to determine if a user has access to a resource" (Azure RBAC) reads them. */
import { ArmRefusal, type ArmResources, assignmentType, groupType, idParts, roleType } from "./resources.ts";

interface Assignment {
  readonly principalId?: string;
  readonly roleDefinitionId?: string;
}

interface Role {
  readonly permissions?: readonly { readonly actions?: readonly string[]; readonly notActions?: readonly string[] }[];
}

/** Throws what Azure says to a principal that has no role that allows it, at the thing or above it. */
export function checkAllowed(resources: ArmResources, principalId: string, method: string, path: string): void {
  const action = actionOf(method, path);
  const allowed = resources
    .all()
    .filter(({ id, type }) => type === assignmentType && isAtOrAbove(scopeOf(id), path))
    .map(({ properties }) => (properties ?? {}) as Assignment)
    .filter((assignment) => assignment.principalId === principalId)
    .some(({ roleDefinitionId = "" }) => allows(resources.find(roleDefinitionId)?.properties, action));
  if (allowed) return;
  const message = `The client '${principalId}' with object id '${principalId}' does not have authorization to perform action '${action}' over scope '${path}' or the scope is invalid. If access was recently granted, please refresh your credentials.`;
  throw new ArmRefusal(403, "AuthorizationFailed", message);
}

/** Throws what Azure says to the deletion of a role that somebody has. */
export function checkRoleUnused(resources: ArmResources, id: string): void {
  const isUsed = resources.all().some(({ type, properties }) => {
    if (type !== assignmentType) return false;
    return String((properties as Assignment | undefined)?.roleDefinitionId).toLowerCase() === id.toLowerCase();
  });
  if (isUsed)
    throw new ArmRefusal(
      400,
      "RoleDefinitionHasAssignments",
      "There are existing role assignments referencing role (code: RoleDefinitionHasAssignments).",
    );
}

export function isRole(id: string): boolean {
  return idParts(id)?.type.toLowerCase() === roleType.toLowerCase();
}

/** `GET …/virtualMachines/a` → Microsoft.Compute/virtualMachines/read; of a group, as the operations of Microsoft.Resources are called. */
function actionOf(method: string, path: string): string {
  const type = /\/providers\/([^/]+\/[^/]+)(?:\/[^/]+)?(?:\/([^/]+))?$/i.exec(path);
  const verb = { GET: "read", HEAD: "read", PUT: "write", PATCH: "write", DELETE: "delete" }[method] ?? `${type?.[2] ?? ""}/action`;
  if (type?.[1] !== undefined) return `${type[1]}/${verb}`;
  return idParts(path)?.type === groupType ? `Microsoft.Resources/subscriptions/resourceGroups/${verb}` : `Microsoft.Resources/${verb}`;
}

function scopeOf(id: string): string {
  return id.replace(/\/providers\/Microsoft\.Authorization\/.*$/i, "");
}

function isAtOrAbove(scope: string, path: string): boolean {
  return `${path}/`.toLowerCase().startsWith(`${scope}/`.toLowerCase());
}

function allows(role: Role | undefined, action: string): boolean {
  const matches = (patterns: readonly string[] = []) =>
    patterns.some((pattern) => new RegExp(`^${pattern.replaceAll(".", "\\.").replaceAll("*", ".*")}$`, "i").test(action));
  return (role?.permissions ?? []).some(({ actions, notActions }) => matches(actions) && !matches(notActions));
}
