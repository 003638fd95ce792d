import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { fileBackendUrl } from "./file-backend.ts";

test("a backend's URL leads to its directory, also one with a space, and asks for no side files", () => {
  const url = new URL(fileBackendUrl("/home/ops/my clone/.spillway/local/state"));
  expect(fileURLToPath(new URL(url.pathname, url))).toBe("/home/ops/my clone/.spillway/local/state");
  expect(url.searchParams.get("metadata")).toBe("skip");
});
