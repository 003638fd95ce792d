import { afterEach, expect, test, vi } from "vitest";
import { trustedKey, trustVariable, trustVariables } from "./trusted-key.ts";

afterEach(() => void vi.unstubAllEnvs());

test("each machine is trusted by its own key alone", () => {
  for (const [name, value] of Object.entries(
    trustVariables(
      new Map([
        ["h1", "SHA256:a+/"],
        ["h11", "SHA256:b"],
      ]),
    ),
  ))
    vi.stubEnv(name, value);
  expect([trustedKey("h1"), trustedKey("h11"), trustedKey("h")]).toEqual(["SHA256:a+/", "SHA256:b", undefined]);
});

test("of no machine nothing is handed over", () => {
  expect(trustVariables(new Map())).toEqual({});
  expect(trustVariable("h1", "SHA256:a")).toEqual({ SPILLWAY_TRUST: "h1=SHA256:a" });
});
