/** What Azure lists, and how: groups, resources of a group or a subscription, machines, sizes, quotas (Microsoft's REST reference of each). */
import { equalities } from "./odata.ts";
import { generic, inCapitals, isMachine, shown, statusOnly } from "./rendering.ts";
import { type ArmResources, groupType, type Held, isListed, machineType } from "./resources.ts";

export interface ListAsked {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly resources: ArmResources;
  /** `Microsoft.Compute/skus`. */
  readonly sizes: readonly object[];
  readonly usages: readonly object[];
}

/** Undefined for a path that is no list. */
export function listAt(asked: ListAsked): readonly object[] | undefined {
  const { path, query, resources, sizes, usages } = asked;
  const filter = query.get("$filter");
  const inSubscription = /^\/subscriptions\/[^/]+(\/.*)$/.exec(path)?.[1]?.toLowerCase() ?? "";
  switch (inSubscription) {
    case "/resourcegroups":
      return resources
        .all()
        .filter(({ type }) => type === groupType)
        .filter(tagged(filter))
        .map(shown);
    case "/resources":
      return listed(resources, filter);
    case "/providers/microsoft.compute/virtualmachines": {
      const show = query.get("statusOnly") === "true" ? statusOnly : (vm: Held) => inCapitals(shown(vm));
      return resources.all().filter(isMachine).map(show);
    }
    case "/providers/microsoft.compute/skus": {
      const place = equalities(filter, ["location"])[0]?.[1];
      return sizes.filter((size) => place === undefined || JSON.stringify(size).toLowerCase().includes(`"${place}"`));
    }
  }
  if (/^\/providers\/microsoft\.compute\/locations\/[a-z0-9]+\/usages$/.test(inSubscription)) return usages;
  const [, group, rest] = /^(\/subscriptions\/[^/]+\/resourceGroups\/[^/]+)(\/.+)$/i.exec(path) ?? [];
  if (group === undefined) return undefined;
  const inside = () => {
    const { group: name } = resources.get(group);
    return resources.all().filter((one) => one.group === name && isListed(one));
  };
  if (rest?.toLowerCase() === "/resources") return inside().map(generic);
  if (rest?.toLowerCase() === `/providers/${machineType.toLowerCase()}`) return inside().filter(isMachine).map(shown);
  return undefined;
}

/** By a tag (then without tags, as the reference warns) or by a type. */
function listed(resources: ArmResources, filter: string | null): object[] {
  const all = resources.all().filter(isListed);
  const wanted = Object.fromEntries(equalities(filter, ["resourceType", "tagName", "tagValue"]));
  if (wanted.tagName !== undefined)
    return all.filter(tagged(filter)).map((one) => {
      const { tags: _tags, ...rest } = generic(one) as { tags?: object };
      return rest;
    });
  return all
    .filter(({ type }) => wanted.resourceType === undefined || type.toLowerCase() === wanted.resourceType.toLowerCase())
    .map(generic);
}

function tagged(filter: string | null): (resource: Held) => boolean {
  const { tagName, tagValue } = Object.fromEntries(equalities(filter, ["tagName", "tagValue"]));
  return ({ tags = {} }) => tagName === undefined || (tagValue === undefined ? tagName in tags : tags[tagName] === tagValue);
}
