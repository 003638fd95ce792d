import { afterEach, expect, test, vi } from "vitest";
import { ownPlace } from "./own-place.ts";

afterEach(() => void vi.unstubAllEnvs());

test("what another operator's clone is named for is looked for in one's own", () => {
  vi.stubEnv("SPILLWAY_LOGS", "/home/b/clone/.spillway/prod/logs");
  expect(ownPlace("/home/a/clone/.spillway/prod/context.json", "prod")).toBe("/home/b/clone/.spillway/prod/context.json");
});

test("another environment's places are never taken for it, and without a clone the named place counts", () => {
  vi.stubEnv("SPILLWAY_LOGS", "/home/b/clone/.spillway/local/logs");
  expect(ownPlace("/home/a/clone/.spillway/prod/context.json", "prod")).toBe("/home/a/clone/.spillway/prod/context.json");
  vi.stubEnv("SPILLWAY_LOGS", undefined);
  expect(ownPlace("/elsewhere/context.json", "prod")).toBe("/elsewhere/context.json");
});
