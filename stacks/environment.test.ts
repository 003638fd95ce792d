import * as pulumi from "@pulumi/pulumi";
import { beforeEach, expect, it } from "vitest";
import type { BurstPool } from "./burst-settings.ts";
import { Environment } from "./environment.ts";
import { type BurstMachine, burstMachine } from "./machine-resource.ts";
import { parseSettings } from "./settings.ts";
import { stateLayout } from "./state-layout.ts";

interface Made {
  readonly type: string;
  readonly name: string;
  readonly inputs: Record<string, unknown>;
}

let made: Made[] = [];
beforeEach(async () => {
  made = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        made.push({ type: type.split(":").at(-1) ?? "", name, inputs });
        const machine = { name, pool: inputs.pool, burst: inputs.burst };
        return { id: name, state: { ...inputs, machine, environmentId: "env-a", endpoint: "https://127.0.0.1:7070", instance: "i-1" } };
      },
      call: ({ inputs }) => inputs,
    },
    "spillway",
    "local",
  );
});

const settings = { masters: { pool: "m" }, pools: { m: { provider: "local" } } };
const burst = { pools: { overflow: { provider: "local" } }, maxNodes: 4, budget: { perHour: 1 } };
const layout = stateLayout("local");

async function resourcesOf(value: object): Promise<Made[]> {
  const environment = new Environment("local", parseSettings(value), layout);
  // The guard is made last of all; what is summed up comes from it.
  await new Promise((resolve) => environment.pool.apply(resolve));
  return made;
}

it("has a burster where the settings have bursts, which keeps its own beside the environment's state", async () => {
  const burster = (await resourcesOf({ ...settings, burst })).find(({ type }) => type === "Burster");
  const { policy, pools, sweep } = parseSettings({ ...settings, burst }).burst ?? {};
  expect(burster?.inputs).toMatchObject({ policy, pools, sweep, environment: "local", environmentId: "env-a", masterInstance: "i-1" });
  expect(burster?.inputs).toMatchObject({ directory: layout.bursts, machines: layout.machines, logs: layout.logs });
});

it("has none where they have none, and is guarded all the same", async () => {
  const all = await resourcesOf(settings);
  expect(all.map(({ type }) => type)).not.toContain("Burster");
  expect(all.find(({ type }) => type === "PoolGuard")?.inputs).toMatchObject({ burstDirectory: layout.bursts });
});

it("makes nodes, rollout and burster before the guard, so that the guard goes first", async () => {
  const types = (await resourcesOf({ ...settings, burst })).map(({ type }) => type);
  expect(types.filter((type) => ["Master", "Node", "Rollout", "Burster", "PoolGuard"].includes(type))).toEqual([
    "Master",
    "Node",
    "Rollout",
    "Burster",
    "PoolGuard",
  ]);
});

const wanted = (pool: BurstPool, over: Partial<BurstMachine> = {}): BurstMachine => ({
  node: "b-1-1",
  burst: "b-1",
  poolName: "overflow",
  pool,
  environment: "prod",
  environmentId: "env-a",
  machines: "/state/machines",
  endpoint: "https://pool.example.org",
  offer: "overflow/local",
  hourly: 0.1,
  shape: { cpu: 2000, memory: 4096, disk: 10_240, gpus: [] },
  clouds: {},
  selfJoin: { endpoint: "https://pool.example.org", caCert: "", adminToken: "" },
  ...over,
});

async function machineFor(one: BurstMachine): Promise<Made | undefined> {
  const { machine } = burstMachine(one);
  await new Promise((resolve) => machine.apply(resolve));
  return made[0];
}

it("makes a machine of a burst on this computer, with its burst's tag and its made-up price", async () => {
  const pool = parseSettings({ ...settings, burst }).burst?.pools.overflow as BurstPool;
  expect(await machineFor(wanted(pool))).toEqual({
    type: "LocalMachine",
    name: "b-1-1",
    inputs: {
      environmentId: "env-a",
      name: "b-1-1",
      pool: "overflow",
      directory: "/state/machines/b-1-1",
      capacity: { cpu: 2000, memory: 4096, disk: 10_240, gpus: [] },
      labels: {},
      node: "link",
      burst: "b-1",
      price: { hourly: 0.1 },
    },
  });
});

const spare = { provider: "ssh", cpu: 4, memory: "8Gi", hosts: [{ host: "a" }, { host: "b", port: 2222, price: { hourly: 0.2 } }] };
const rack = { masters: { pool: "rack" }, pools: { rack: { provider: "ssh", hosts: [{ host: "h" }] } } };
const spares = () => parseSettings({ ...rack, burst: { ...burst, pools: { spare } } }).burst?.pools.spare as BurstPool;

it("takes the host that was chosen, under the name of the burst's node, which must be able to dial the master", async () => {
  const taken = await machineFor(wanted(spares(), { offer: "spare/spare-b", poolName: "spare" }));
  expect(taken).toMatchObject({
    type: "SshMachine",
    name: "b-1-1",
    inputs: {
      name: "b-1-1",
      pool: "spare",
      environment: "prod",
      environmentId: "env-a",
      host: "b",
      port: 2222,
      burst: "b-1",
      capacity: { cpu: 4000, memory: 8192, disk: 0, gpus: [] },
      price: { hourly: 0.2 },
      dials: "https://pool.example.org",
    },
  });
  expect(taken?.inputs).not.toHaveProperty("listenPort");
});

it("refuses a host that is no longer in the pool", () => {
  expect(() => burstMachine(wanted(spares(), { offer: "spare/spare-c", poolName: "spare" }))).toThrow(
    "the burst pool spare has no host spare-c",
  );
});
