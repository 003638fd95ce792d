import { expect, test } from "vitest";
import type { ListedMachine, ListedThing } from "../../providers/provider.ts";
import { existingIds, nobodysMachines, nobodysThings } from "./existing-in-clouds.ts";

const group = "/subscriptions/s/resourceGroups/spillway-env-a-westeurope";
const card = `${group}/providers/Microsoft.Network/networkInterfaces/base-1-interface-0a1b2c`;

const thing = (id: string, over: Partial<ListedThing> = {}): ListedThing => ({
  kind: "interface",
  id,
  provider: "azure",
  region: "westeurope",
  environmentId: "env-a",
  ...over,
});

test("what the provider refused to make because it exists is read out of its words", () => {
  expect(
    existingIds([
      `error: cannot create already existing resource '${card}'`,
      "Code=AuthorizationFailed",
      `cannot create already existing resource '${group}'.`,
    ]),
  ).toEqual([card, group]);
});

test("only what was refused, hangs on no machine and is in no state stands in the way", () => {
  const refused = [card.toUpperCase()];
  const none = new Set<string>();
  expect(nobodysThings([thing(card), thing(group)], { refused, recorded: none })).toEqual([thing(card)]);
  expect(nobodysThings([thing(card, { of: "a-machine" })], { refused, recorded: none })).toEqual([]);
  expect(nobodysThings([thing(card, { burst: "b-1" })], { refused, recorded: none })).toEqual([]);
  expect(nobodysThings([thing(card)], { refused, recorded: new Set([card.toLowerCase()]) })).toEqual([]);
});

test("a machine stands in the way that was refused, is in no state and has never run", () => {
  const providerId = `${group}/providers/Microsoft.Compute/virtualMachines/base-1`.toLowerCase();
  const listed = (over: Partial<ListedMachine> = {}): ListedMachine => ({
    machine: {
      name: "base-1",
      pool: "base",
      provider: "azure",
      providerId,
      host: "203.0.113.9",
      port: 22,
      user: "spillway",
      credential: { kind: "agent" },
      labels: {},
      attributes: {},
    },
    environmentId: "env-a",
    status: "stopped",
    neverRan: true,
    ...over,
  });
  const { neverRan: _, ...ran } = listed();
  const refusal = { refused: [providerId.toUpperCase()], recorded: new Set<string>() };
  expect(nobodysMachines([listed()], refusal)).toHaveLength(1);
  expect(nobodysMachines([{ ...ran, status: "running" }, ran, listed({ burst: "b-1" })], refusal)).toEqual([]);
  expect(nobodysMachines([listed()], { ...refusal, recorded: new Set([providerId]) })).toEqual([]);
  expect(nobodysMachines([listed()], { ...refusal, refused: [group] })).toEqual([]);
});
