import { expect, test } from "vitest";
import type { ListedMachine } from "../../providers/provider.ts";
import { unrecordedMachines } from "./found-in-clouds.ts";

const azureId = "/subscriptions/s/resourcegroups/machines/providers/microsoft.compute/virtualmachines/base-1";

const listed = (name: string, providerId: string, over: Partial<ListedMachine> = {}): ListedMachine => ({
  machine: {
    name,
    pool: "base",
    provider: "aws",
    providerId,
    host: "203.0.113.9",
    port: 22,
    user: "spillway",
    credential: { kind: "agent" },
    labels: {},
    attributes: {},
  },
  environmentId: "env-a",
  status: "running",
  ...over,
});

test("a machine that no state holds is found by its name", () => {
  expect(unrecordedMachines([listed("base-1", "i-1")], new Set(["vpc-1"]))).toEqual({ "base-1": "i-1" });
});

test("a machine that the state holds is not found again, however its cloud spells its id", () => {
  const recorded = new Set(["i-1", "/subscriptions/s/resourceGroups/Machines/providers/Microsoft.Compute/virtualMachines/base-1"]);
  expect(unrecordedMachines([listed("base-2", "i-1"), listed("base-1", azureId)], recorded)).toEqual({});
});

test("a machine that was made in place of a recorded one is found", () => {
  expect(unrecordedMachines([listed("base-1", "i-1"), listed("base-1", "i-2")], new Set(["i-1"]))).toEqual({ "base-1": "i-2" });
});

test("two that no state holds under one name are refused, both named, and none of a burst is looked at", () => {
  const two = [listed("base-1", "i-1"), listed("base-1", "i-2")];
  expect(() => unrecordedMachines(two, new Set())).toThrow(
    expect.objectContaining({ code: "machines-of-one-name", message: expect.stringContaining("i-1, i-2") }),
  );
  expect(unrecordedMachines([listed("b-1-1", "i-3", { burst: "b-1" })], new Set())).toEqual({});
});

test("a machine that stops is not taken over: it may be on its way out", () => {
  expect(unrecordedMachines([listed("base-1", "i-1", { status: "stopped" })], new Set())).toEqual({});
});
