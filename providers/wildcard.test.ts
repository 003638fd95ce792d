import { expect, it } from "vitest";
import { matchesWildcard } from "./wildcard.ts";

it.each([
  ["m7i.*", "m7i.large", true],
  ["m7i.*", "m7ixlarge", false],
  ["*", "anything", true],
  ["*_v5", "Standard_D2s_v5", true],
  ["Standard_D*s_v*", "Standard_D2s_v5", true],
  ["m7i", "m7i.large", false],
  ["eu-*", "us-east-1", false],
  ["(a|b)[c]", "a", false],
])("%s and %s: %s", (pattern, text, expected) => {
  expect(matchesWildcard(pattern, text)).toBe(expected);
});
