import { expect, test } from "vitest";
import type { ListedThing } from "../../providers/provider.ts";
import { inOrder } from "./end-in-clouds.ts";

const thing = (kind: ListedThing["kind"], provider: "aws" | "azure", id: string): ListedThing => ({
  kind,
  id,
  provider,
  region: "somewhere",
  environmentId: "env-a",
});
const idsOf = (things: readonly ListedThing[]) => inOrder(things).map(({ id }) => id);

test("at AWS a network goes after what is in it", () => {
  expect(idsOf([thing("network", "aws", "vpc-1"), thing("security-group", "aws", "sg-1"), thing("interface", "aws", "eni-1")])).toEqual([
    "eni-1",
    "sg-1",
    "vpc-1",
  ]);
});

test("at Azure a network goes before its gateway, that before its address, and the security group after all that it guards", () => {
  const card = thing("interface", "azure", "/g/providers/Microsoft.Network/networkInterfaces/a");
  const network = thing("network", "azure", "/g/providers/Microsoft.Network/virtualNetworks/machines");
  const gateway = thing("network", "azure", "/g/providers/Microsoft.Network/natGateways/nat");
  const address = thing("address", "azure", "/g/providers/Microsoft.Network/publicIPAddresses/nat");
  const security = thing("security-group", "azure", "/g/providers/Microsoft.Network/networkSecurityGroups/machines");
  const group = thing("resource-group", "azure", "/g");
  const right = [card, network, gateway, address, security, group];
  expect(inOrder(right.toReversed())).toEqual(right);
});
