/** Names with `*` for any characters, as people write them; the whole name has to match. */
export function matchesWildcard(wildcard: string, text: string): boolean {
  const parts = wildcard.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`).test(text);
}
