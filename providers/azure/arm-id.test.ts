import { expect, it } from "vitest";
import { machineId, parseArmId } from "./arm-id.ts";

it("takes apart the id of a machine, of a child and of a group", () => {
  const group = "/subscriptions/s-1/resourceGroups/g-1";
  expect(parseArmId(`${group}/providers/Microsoft.Compute/virtualMachines/m1`)).toEqual({
    subscription: "s-1",
    resourceGroup: "g-1",
    type: "Microsoft.Compute/virtualMachines",
    name: "m1",
  });
  expect(parseArmId(`${group}/providers/Microsoft.Network/virtualNetworks/n/subnets/a`)).toMatchObject({
    type: "Microsoft.Network/virtualNetworks/subnets",
    name: "a",
  });
  expect(parseArmId(group)).toEqual({ subscription: "s-1", resourceGroup: "g-1", type: "", name: "g-1" });
  expect(() => parseArmId("i-0abc")).toThrow("is no id of Azure Resource Manager");
});

it("spells one machine in one way, whichever answer it was read from", () => {
  const ids = ["/subscriptions/s/resourceGroups/G-1", "/subscriptions/s/resourcegroups/g-1"].map((group) =>
    machineId(`${group}/providers/Microsoft.Compute/virtualMachines/m1`),
  );
  expect(new Set(ids).size).toBe(1);
});
