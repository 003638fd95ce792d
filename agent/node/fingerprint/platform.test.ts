import { expect, test } from "vitest";
import { platformFact } from "./platform.ts";

test("a node tells its operating system, processor and kernel", () => {
  expect(platformFact()).toMatchObject({ os: process.platform, arch: process.arch });
  expect(platformFact().kernel).toMatch(/^\d+\./);
});
