import type { ResourceSku } from "@azure/arm-compute";
import { expect, it } from "vitest";
import { sizesOf } from "./sku.ts";

/** A size in the form of "Resource Skus - List". */
function sku(name: string, capabilities: Record<string, string> = {}, more: Partial<ResourceSku> = {}): ResourceSku {
  const all = {
    vCPUs: "4",
    MemoryGB: "16",
    HyperVGenerations: "V1,V2",
    CpuArchitectureType: "x64",
    LowPriorityCapable: "True",
    ...capabilities,
  };
  return {
    resourceType: "virtualMachines",
    name,
    locations: ["westeurope"],
    locationInfo: [{ location: "westeurope", zones: ["2", "1", "3"] }],
    capabilities: Object.entries(all).map(([key, value]) => ({ name: key, value })),
    restrictions: [],
    ...more,
  };
}

it("tells what a size has, in millicores and MiB", () => {
  expect(sizesOf([sku("Standard_D4s_v5", {}, { family: "standardDSv5Family" })], "westeurope")).toEqual([
    {
      instanceType: "Standard_D4s_v5",
      region: "westeurope",
      zones: ["1", "2", "3"],
      arch: "x64",
      cpu: 4000,
      memory: 16_384,
      gpus: [],
      isBareMetal: false,
      isBurstable: false,
      isSpotCapable: true,
      quotaFamily: "standarddsv5family",
    },
  ]);
});

it("counts the cores that a constrained size really has", () => {
  expect(sizesOf([sku("Standard_E4-2s_v5", { vCPUsAvailable: "2" })], "westeurope")).toMatchObject([{ cpu: 2000 }]);
});

it("knows burstable sizes, and memory that is no whole GiB", () => {
  expect(sizesOf([sku("Standard_B1ls", { vCPUs: "1", MemoryGB: "0.5" })], "westeurope")).toMatchObject([
    { isBurstable: true, memory: 512 },
  ]);
});

it.each<[string, ResourceSku]>([
  [
    "restricted for this subscription",
    sku("Standard_D4s_v5", {}, { restrictions: [{ type: "Location", reasonCode: "NotAvailableForSubscription" }] }),
  ],
  ["in another region", sku("Standard_D4s_v5", {}, { locations: ["northeurope"] })],
  ["of the first generation only", sku("Standard_A4_v2", { HyperVGenerations: "V1" })],
  ["for confidential computing", sku("Standard_DC4as_v5", { ConfidentialComputingType: "SNP" })],
  ["that can't start with what our machines ask for", sku("Standard_X4_v9", { TrustedLaunchDisabled: "True" })],
  ["that is no machine", sku("Premium_LRS", {}, { resourceType: "disks" })],
  ["with a GPU that nobody knows", sku("Standard_NG8ads_V999_v9", { GPUs: "1" })],
  ["with a sixth of a GPU", sku("Standard_NV6ads_A10_v5", { GPUs: "1" })],
])("leaves out a size %s", (_why, size) => {
  expect(sizesOf([size], "westeurope")).toEqual([]);
});

it("keeps the zones that are not closed to this subscription", () => {
  const restrictions = [{ type: "Zone" as const, restrictionInfo: { locations: ["westeurope"], zones: ["1", "3"] } }];
  expect(sizesOf([sku("Standard_D4s_v5", {}, { restrictions })], "westeurope")).toMatchObject([{ zones: ["2"] }]);
});

it("keeps an Arm size of the fifth generation, which is made without Trusted Launch", () => {
  const size = sku("Standard_D4ps_v5", { CpuArchitectureType: "Arm64", HyperVGenerations: "V2", TrustedLaunchDisabled: "True" });
  expect(sizesOf([size], "westeurope")).toMatchObject([{ arch: "arm64" }]);
});

it.each([
  ["Standard_NC4as_T4_v3", "1", { model: "t4", count: 1 }],
  ["Standard_NC48ads_A100_v4", "2", { model: "a100", count: 2 }],
  ["Standard_ND96isr_H100_v5", "8", { model: "h100", count: 8 }],
  ["Standard_NC12s_v3", "2", { model: "v100", count: 2 }],
  ["Standard_NC24rs_v3", "4", { model: "v100", count: 4 }],
  ["Standard_NV36ads_A10_v5", "1", { model: "a10", count: 1 }],
  ["Standard_NV72ads_A10_v5", "2", { model: "a10", count: 2 }],
])("%s has the GPUs that its name says", (name, count, gpu) => {
  expect(sizesOf([sku(name, { GPUs: count })], "westeurope")).toMatchObject([{ gpus: [gpu] }]);
});
