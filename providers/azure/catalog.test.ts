import { expect, it } from "vitest";
import { burstCores, quotaOf } from "./catalog.ts";
import type { Size } from "./sku.ts";

const usage = (value: string, limit: number, currentValue: number) => ({ unit: "Count" as const, name: { value }, limit, currentValue });
const usages = [usage("cores", 20, 12), usage("lowPriorityCores", 10, 4), usage("standardDSv5Family", 16, 8)];
const size = { instanceType: "Standard_D4s_v5", cpu: 4000, quotaFamily: "standarddsv5family" } as Size;

it("tells what is left of the region's cores, of those for spot, and of each family's on demand", () => {
  expect(quotaOf(usages)).toEqual({ "": { "on-demand": 8, spot: 6 }, standarddsv5family: { "on-demand": 8 } });
});

it("counts what bursts take as left, in its market and family, and nothing that runs elsewhere or is no burst's", () => {
  const machine = {
    location: "westeurope",
    hardwareProfile: { vmSize: "Standard_D4s_v5" },
    tags: { "spillway:burst": "b-1" } as Record<string, string>,
  };
  const machines = [machine, { ...machine, priority: "Spot" }, { ...machine, location: "northeurope" }, { ...machine, tags: {} }];
  expect(quotaOf(usages, burstCores(machines, [size], "westeurope"))).toEqual({
    "": { "on-demand": 12, spot: 10 },
    standarddsv5family: { "on-demand": 12 },
  });
});
