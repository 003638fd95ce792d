/** The one order of names and ids, so that the order of inputs never matters. */

export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** A copy in the order of ids. */
export function byId<T extends { readonly id: string }>(list: readonly T[]): T[] {
  return list.toSorted((a, b) => compareText(a.id, b.id));
}
