import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type BursterConfig, bursterConfig, burstLayout } from "./config.ts";
import { hasSameTunnels, isSameButTunnels } from "./same-config.ts";
import { machinesToReach } from "./tunnels.ts";

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "spillway-bursts-"));
  file = burstLayout(directory).config;
});
afterEach(() => rmSync(directory, { recursive: true }));

const aMachine = (name: string, provider = "aws") => ({
  name,
  pool: "base",
  provider,
  providerId: `i-${name}`,
  host: "203.0.113.9",
  port: 22,
  user: "spillway",
  credential: { kind: "agent" },
});

function aConfig(over: object = {}): BursterConfig {
  return bursterConfig.parse({
    version: "0",
    holder: "here",
    environment: "prod",
    environmentId: "env-a",
    endpoint: "https://127.0.0.1:7070",
    masterInstance: "i-1",
    caCert: "pem",
    adminToken: "token",
    pools: {},
    sweep: { everyMs: 60_000, unknownAfterMs: 90_000 },
    reach: "reverse",
    tunnels: [aMachine("base-1")],
    directory,
    machines: "/state/machines",
    logs: "/state/logs",
    variables: { SSH_AUTH_SOCK: "/run/agent.1" },
    ...over,
  });
}

const write = (config: BursterConfig) => writeFileSync(file, JSON.stringify(config));

it("needs no other process for another tunnel, which is read anew", () => {
  write(aConfig());
  const wanted = aConfig({ tunnels: [aMachine("base-1"), aMachine("base-2")] });
  expect([isSameButTunnels(file, wanted), hasSameTunnels(file, wanted)]).toEqual([true, false]);
  write(wanted);
  expect(hasSameTunnels(file, wanted)).toBe(true);
  expect(machinesToReach(aConfig(), () => undefined)?.map(({ name }) => name)).toEqual(["base-1", "base-2"]);
});

it("needs another process for anything else, and for another ssh-agent where one is used", () => {
  write(aConfig());
  expect(isSameButTunnels(file, aConfig())).toBe(true);
  for (const over of [{ reach: undefined }, { endpoint: "https://127.0.0.1:7071" }, { variables: { SSH_AUTH_SOCK: "/run/agent.2" } }])
    expect(isSameButTunnels(file, aConfig(over))).toBe(false);
  write(aConfig({ tunnels: [] }));
  expect(isSameButTunnels(file, aConfig({ tunnels: [], variables: { SSH_AUTH_SOCK: "/run/agent.2" } }))).toBe(true);
});

it("needs another process for other credentials of a cloud that it buys in, and of no other", () => {
  const aws = {
    provider: "aws",
    regions: ["eu-central-1"],
    market: ["spot"],
    types: { cpu: [2, 4], arch: ["x64"], bareMetal: false, burstable: false },
    image: { distribution: "debian-12" },
    diskGiB: 20,
    address: "public",
    credential: { kind: "file", path: "/keys/id" },
    authorizedKeys: [],
    labels: {},
    maxNodes: 1,
    launchTimeoutMs: 180_000,
    networks: {},
    sshFrom: [],
  };
  const before = { AWS_SESSION_TOKEN: "first", AZURE_CLIENT_SECRET: "first" };
  write(aConfig({ pools: { aws }, variables: before, tunnels: [] }));
  const isSame = (variables: object) => isSameButTunnels(file, aConfig({ pools: { aws }, variables, tunnels: [] }));
  expect(isSame({ ...before, AZURE_CLIENT_SECRET: "second" })).toBe(true);
  expect(isSame({ ...before, AWS_SESSION_TOKEN: "second" })).toBe(false);
});

it("reaches the machines of clouds in bursts' stacks besides, and no others", () => {
  write(aConfig());
  const stacks = join(burstLayout(directory).backend, ".pulumi", "stacks", "spillway-bursts");
  mkdirSync(stacks, { recursive: true });
  const resources = [
    { type: "spillway:index:CloudHost", id: "i-b-1-1", outputs: { machine: aMachine("b-1-1", "azure") } },
    { type: "spillway:index:SshMachine", id: "ssh", outputs: { machine: aMachine("b-1-2", "ssh") } },
  ];
  writeFileSync(join(stacks, "burst-b-1.json"), JSON.stringify({ checkpoint: { latest: { resources } } }));
  expect(machinesToReach(aConfig(), () => undefined)?.map(({ name }) => name)).toEqual(["base-1", "b-1-1"]);
});

it("changes nothing when its file is gone, or can't be read", () => {
  const told: string[] = [];
  const log = (text: string) => told.push(text);
  expect(machinesToReach(aConfig(), log)).toBeUndefined();
  expect(told).toEqual([]);
  writeFileSync(file, "{");
  expect(machinesToReach(aConfig(), log)).toBeUndefined();
  expect(told).toHaveLength(1);
  expect(isSameButTunnels(file, aConfig())).toBe(false);
});
