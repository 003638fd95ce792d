import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { knownPins } from "./pins.ts";
import { aDeclaration, testMaster } from "./testing/test-master.ts";

test("the way and the host key of each node are read beside the running master, and of one that does not say them its name", async () => {
  const master = await testMaster();
  try {
    const pin = { host: "192.0.2.11", port: 22, user: "ops", hostKey: "SHA256:x" };
    await master.declare("rack-1", aDeclaration(pin));
    await master.declare("rack-2");
    expect(knownPins(master.config)).toMatchObject([
      { kind: "node", name: "rack-1", pool: "rack", ...pin },
      { kind: "node", name: "rack-2", pool: "rack" },
    ]);
    expect(JSON.stringify(knownPins(master.config))).not.toContain("sha256");
  } finally {
    await master.end();
  }
});

test("where no master has ever written there is nothing to tell", () => {
  const stateDir = mkdtempSync(join(tmpdir(), "spillway-pins-"));
  expect(knownPins({ stateDir })).toEqual([]);
  rmSync(stateDir, { recursive: true });
});
