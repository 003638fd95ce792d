import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Machine } from "../../../agent/contract/machine.ts";
import { awsProvider } from "../../../providers/aws/pool.ts";
import type { ListScope, MachineStatus } from "../../../providers/provider.ts";
import type { ResourceContext } from "../rpc.ts";
import { cloudHost } from "./cloud-host.ts";

const context: ResourceContext = {
  status: () => undefined,
  log: () => undefined,
  sentence: () => undefined,
  signal: new AbortController().signal,
};
const inputs = {
  environmentId: "env-a",
  name: "base-1",
  pool: "base",
  provider: "aws",
  providerId: "i-1",
  host: "203.0.113.9",
  privateHost: "10.203.0.9",
  user: "spillway",
  credential: { kind: "agent" as const },
  seedHostKey: "SHA256:seed",
  bootTimeoutMs: 300_000,
  labels: {},
  attributes: { cloud: "aws", region: "eu-central-1" },
};
const machine: Machine = { ...inputs, port: 22, hostKey: "SHA256:own", connectTimeoutMs: 300_000 };

let calls: string[] = [];
let scope: ListScope | undefined;
let status: MachineStatus = "running";
/** The other one is somebody else's. */
let addresses: Record<string, string> = {};
beforeEach(() => {
  calls = [];
  addresses = { "i-0": "203.0.113.1", "i-1": "203.0.113.77" };
  vi.spyOn(awsProvider, "status").mockImplementation(async () => status);
  vi.spyOn(awsProvider, "start").mockImplementation(async ({ providerId }) => void calls.push(`start ${providerId}`));
  vi.spyOn(awsProvider, "list").mockImplementation(async (environmentId, asked) => {
    calls.push(`list ${environmentId}`);
    scope = asked;
    const machines = Object.entries(addresses).map(([providerId, host]) => ({
      machine: { ...machine, providerId, host },
      environmentId,
      status: "running" as const,
    }));
    return { machines, things: [], unasked: [] };
  });
});
afterEach(() => vi.restoreAllMocks());

const mended = (spec: Partial<typeof inputs> = {}) =>
  cloudHost.update("i-1", { ...inputs, machine, status: "stopped" }, { ...inputs, ...spec }, context);

it("a machine that was off is reached where it is after its start, whatever was known of it while it was off", async () => {
  status = "stopped";
  const { machine: now } = await mended({ host: "10.203.0.9" });
  expect(now).toMatchObject({ host: "203.0.113.77", hostKey: "SHA256:own" });
  expect(calls).toEqual(["start i-1", "list env-a"]);
  expect(scope?.clouds).toEqual({ aws: { regions: ["eu-central-1"] } });
});

it("one that the cloud does not list yet stays where it was", async () => {
  status = "stopped";
  addresses = {};
  expect((await mended()).machine.host).toBe("203.0.113.9");
});

it("one that runs is where its settings say, and is left alone", async () => {
  status = "running";
  expect((await mended({ host: "203.0.113.10" })).machine).toMatchObject({ host: "203.0.113.10", hostKey: "SHA256:own" });
  expect(calls).toEqual([]);
});
