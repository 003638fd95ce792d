import { expect, it } from "vitest";
import { hasNeverRun, powerOf } from "./power.ts";

it.each([
  [["ProvisioningState/succeeded", "PowerState/running"], "running"],
  [["ProvisioningState/updating", "PowerState/starting"], "running"],
  [["ProvisioningState/succeeded", "PowerState/stopping"], "stopped"],
  [["ProvisioningState/succeeded", "PowerState/stopped"], "stopped"],
  [["ProvisioningState/succeeded", "PowerState/deallocated"], "stopped"],
  [["ProvisioningState/creating"], "running"],
  [["ProvisioningState/deleting"], "stopped"],
  [["ProvisioningState/failed/AllocationFailed", "PowerState/unknown"], "running"],
  [["ProvisioningState/failed/AllocationFailed"], "stopped"],
  [["ProvisioningState/failed/InternalOperationError", "PowerState/running"], "running"],
  [[], "running"],
] as const)("%j is %s", (codes, status) => {
  expect(powerOf(codes)).toBe(status);
});

it("knows a machine that found no place from one that ran and was switched off", () => {
  expect(hasNeverRun(["ProvisioningState/failed/AllocationFailed"])).toBe(true);
  expect(hasNeverRun(["ProvisioningState/failed/InternalOperationError", "PowerState/deallocated"])).toBe(false);
  expect(hasNeverRun(["ProvisioningState/succeeded", "PowerState/stopped"])).toBe(false);
});
