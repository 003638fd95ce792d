import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { boughtIn, rememberPlace } from "./bought-in.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spillway-places-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

it("remembers each place once, and knows of none at first", () => {
  expect(boughtIn({ directory })).toEqual([]);
  rememberPlace({ directory }, { cloud: "aws", region: "eu-central-1" });
  rememberPlace({ directory }, { cloud: "azure", region: "westeurope" });
  rememberPlace({ directory }, { cloud: "aws", region: "eu-central-1" });
  expect(boughtIn({ directory })).toEqual([
    { cloud: "aws", region: "eu-central-1" },
    { cloud: "azure", region: "westeurope" },
  ]);
});
