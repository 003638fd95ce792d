import { afterEach, beforeEach, expect, test } from "vitest";
import type { Machine } from "../../../agent/contract/machine.ts";
import { noResources } from "../../../agent/contract/resources.ts";
import { type TestMaster, testMaster } from "../../../agent/master/testing/test-master.ts";
import { poolGuard } from "./pool-guard.ts";

let master: TestMaster;
const context = { status: () => undefined, log: () => undefined, sentence: () => undefined, signal: new AbortController().signal };
const machine: Machine = {
  name: "rack-1",
  pool: "rack",
  provider: "ssh",
  providerId: "ssh://192.0.2.11:22",
  host: "192.0.2.11",
  port: 22,
  user: "ops",
  hostKey: "SHA256:x",
  credential: { kind: "agent" },
  labels: {},
  attributes: {},
};

beforeEach(async () => {
  master = await testMaster({ bundle: "sha256:test" });
});
afterEach(() => master.end());

test("a node that was declared by a version before is told its way and its pin, and everything else of it stays", async () => {
  await master.declare("rack-1", { labels: { disk: "ssd" } });
  const spec = {
    endpoint: `https://127.0.0.1:${master.port}`,
    caCert: master.ca,
    adminToken: "test-admin-token",
    masterInstance: "m",
    environment: "test",
    machines: [machine],
    reserve: noResources,
    logDirectory: "-",
  };
  const { outputs } = await poolGuard.create(spec, context);
  const declared = async () => (await master.call("GET", "/v1/nodes/rack-1")).body.declaration;
  expect(await declared()).toMatchObject({ host: "192.0.2.11", port: 22, user: "ops", hostKey: "SHA256:x", labels: { disk: "ssd" } });
  expect(await poolGuard.read("guard", { ...spec, ...outputs }, context)).toMatchObject({ changed: false });
  // Another key was trusted since.
  const other = { ...spec, machines: [{ ...machine, hostKey: "SHA256:y" }] };
  expect(await poolGuard.read("guard", { ...other, ...outputs }, context)).toMatchObject({ changed: true });
  await poolGuard.update("guard", { ...spec, ...outputs }, other, context);
  expect((await declared()).hostKey).toBe("SHA256:y");
});
