import { expect, it } from "vitest";
import { hourlyIn, type PricedMachine } from "./cloud-price.ts";
import { aCatalog, anEntry } from "./testing/cloud-pools.ts";

const machine = (over: Partial<PricedMachine> = {}): PricedMachine => ({
  region: "eu-central-1",
  instanceType: "m7i.large",
  market: "on-demand",
  diskGiB: 20,
  address: "public",
  ...over,
});

it("is the machine, its disk and its address", () => {
  expect(hourlyIn(aCatalog(), machine())).toBe(0.127);
  expect(hourlyIn(aCatalog(), machine({ address: "fixed" }))).toBe(0.127);
  expect(hourlyIn(aCatalog(), machine({ address: "private" }))).toBe(0.122);
});

it("is of a spot machine its zone's price, and without a zone the dearest", () => {
  const spot = { market: "spot", diskGiB: 0, address: "private" } as const;
  expect(hourlyIn(aCatalog(), machine({ ...spot, zone: "eu-central-1b" }))).toBe(0.04);
  expect(hourlyIn(aCatalog(), machine(spot))).toBe(0.05);
  const regional = aCatalog({ entries: [anEntry({ spot: { "": 0.03 } })] });
  expect(hourlyIn(regional, machine({ ...spot, zone: "1" }))).toBe(0.03);
});

it("is not known of what is not sold so, and of what is not sold at all", () => {
  const { onDemand: _, ...spotOnly } = anEntry({ spot: {} });
  expect(hourlyIn(aCatalog({ entries: [spotOnly] }), machine())).toBeUndefined();
  expect(hourlyIn(aCatalog({ entries: [spotOnly] }), machine({ market: "spot" }))).toBeUndefined();
  expect(hourlyIn(aCatalog(), machine({ instanceType: "m7i.xlarge" }))).toBeUndefined();
});
