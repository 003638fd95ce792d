import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { productVersion } from "../agent/contract/version.ts";
import { cloneDirectory } from "./state-layout.ts";

it("has one version in the package, the code and at the top of the changelog", () => {
  const manifest = JSON.parse(readFileSync(join(cloneDirectory, "package.json"), "utf8")) as { version: string };
  const changelog = /^## (\d+\.\d+\.\d+)/m.exec(readFileSync(join(cloneDirectory, "CHANGELOG.md"), "utf8"));
  expect([manifest.version, changelog?.[1]]).toEqual([productVersion, productVersion]);
});
