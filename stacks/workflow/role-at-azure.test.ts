import { expect, test } from "vitest";
import { namesRole } from "./role-at-azure.ts";

const id = "/subscriptions/s/providers/Microsoft.Authorization/roleDefinitions/6d5f2b4e";
const role = { id, subscription: "s" };

test("a role is known by its id in whatever spelling, and by no other's", () => {
  expect(namesRole([`/${id}`], role)).toBe(true);
  expect(namesRole(["/subscriptions/s/resourceGroups/g", id.toUpperCase()], role)).toBe(true);
  expect(namesRole([`${id}0`], role)).toBe(false);
});
