/** The little of OData that Azure's lists are asked with: equalities joined by `and`, as the REST reference of each list writes them. */
import { ArmRefusal } from "./resources.ts";

/** `a eq 'x' and b eq 'y'` → [["a", "x"], ["b", "y"]]. Refuses what it does not know, as a double must. */
export function equalities(filter: string | null, known: readonly string[]): [string, string][] {
  if (filter === null || filter === "") return [];
  return filter.split(/ and /).map((part) => {
    const [, name, value] = /^([A-Za-z/]+) eq '((?:[^']|'')*)'$/.exec(part.trim()) ?? [];
    if (name === undefined || value === undefined || !known.includes(name))
      throw new ArmRefusal(400, "InvalidFilterInQueryString", `The double does not know the filter "${part}".`);
    return [name, value.replaceAll("''", "'")];
  });
}
