import { afterEach, expect, test, vi } from "vitest";
import { drainPatience, isForgottenMachine, machinesLeftOut, removalVariables, usualDrainMs } from "./node-removal.ts";

afterEach(() => void vi.unstubAllEnvs());

function given(variables: Record<string, string>): void {
  for (const [name, value] of Object.entries(variables)) vi.stubEnv(name, value);
}

test("what is handed over is read as it was meant", () => {
  given(removalVariables({ machine: "rack-3", absent: ["rack-9"], drainMs: 1_800_000, forget: true }));
  expect([machinesLeftOut(), drainPatience(), isForgottenMachine("rack-3"), isForgottenMachine("rack-4")]).toEqual([
    ["rack-3", "rack-9"],
    1_800_000,
    true,
    false,
  ]);
  given(removalVariables({ machine: "rack-3", absent: [], drainMs: 0, forget: false }));
  expect(drainPatience()).toBe(0);
});

test("a run that removes nothing leaves nothing out, and waits as a drain does", () => {
  expect(machinesLeftOut()).toEqual([]);
  expect(drainPatience()).toBe(usualDrainMs);
  expect(isForgottenMachine("")).toBe(false);
});

test("a patience that is no duration is refused by name", () => {
  given({ SPILLWAY_DRAIN: "soon" });
  expect(() => drainPatience()).toThrow(/SPILLWAY_DRAIN: "soon" is not a duration/);
});
