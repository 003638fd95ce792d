import * as pulumi from "@pulumi/pulumi";
import { beforeEach, expect, it } from "vitest";
import type { BurstRow } from "../../agent/contract/ledger.ts";
import { loadClouds } from "../clouds.ts";
import { parseSettings } from "../settings.ts";
import { buying } from "../testing/cloud-pools.ts";
import { bursterConfig } from "./config.ts";
import { burstProgram } from "./program.ts";

let made: { readonly type: string; readonly inputs: Record<string, unknown> }[] = [];
beforeEach(async () => {
  made = [];
  await pulumi.runtime.setMocks(
    {
      newResource: ({ type, name, inputs }) => {
        made.push({ type: type.split(":").at(-1) ?? "", inputs });
        const own = { machine: { name }, hostKey: "SHA256:seed", userData: "#cloud-config", health: "ok", problem: "" };
        return { id: `${name}-id`, state: { ...inputs, ...own, publicIp: "203.0.113.9", availabilityZone: "eu-central-1a" } };
      },
      call: ({ inputs }) => ({ ...inputs, id: "ami-0123456789abcdef0" }),
    },
    "spillway-bursts",
    "burst-b-1",
  );
});

const network = { subnets: { "eu-central-1a": "subnet-1" }, securityGroups: ["sg-1"] };
const pools = parseSettings({
  masters: { pool: "rack", endpoint: "https://pool.example.org:7070" },
  pools: { rack: { provider: "ssh", hosts: [{ host: "h", trustOnFirstUse: true }] } },
  burst: {
    pools: {
      cloud: buying({ networks: { "eu-central-1": network } }),
      spare: { provider: "ssh", cpu: 1, memory: "1Gi", hosts: [{ host: "s", trustOnFirstUse: true }] },
    },
    maxNodes: 4,
    budget: { perHour: 1 },
  },
}).burst?.pools;

const config = (over: object) =>
  bursterConfig.parse({
    version: "0",
    holder: "here",
    environment: "prod",
    environmentId: "env-a",
    endpoint: "https://pool.example.org:7070",
    masterInstance: "i-1",
    caCert: "pem",
    adminToken: "token",
    pools,
    expireAfterMs: 1_800_000,
    sweep: { everyMs: 60_000, unknownAfterMs: 90_000 },
    directory: "/state/bursts",
    machines: "/state/machines",
    logs: "/state/logs",
    variables: {},
    ...over,
  });

async function nodeOf(burstPool: string, offer: string, over: object): Promise<Record<string, unknown> | undefined> {
  const row = { id: "b-1", nodes: ["b-1-1"], burstPool, offer, hourly: 0.1, shape: { cpu: 2000, memory: 8192, disk: 0, gpus: [] } };
  const outputs = await burstProgram(config(over), row as unknown as BurstRow, await loadClouds(["aws"]))();
  await new Promise((resolve) => pulumi.output(outputs).apply(resolve));
  return made.find(({ type }) => type === "Node")?.inputs;
}

const bought = "cloud/eu-central-1/eu-central-1a/m7i.large/on-demand";

it("reaches a bought machine by a tunnel where the environment's are, and has it end itself when it hears nothing", async () => {
  expect(await nodeOf("cloud", bought, { reach: "reverse" })).toMatchObject({ reach: "reverse", deadManMs: 1_800_000 });
});

it("has every other machine dial the master: spare hosts always, and all where nothing is written", async () => {
  expect(await nodeOf("spare", "spare/spare-s", { reach: "reverse" })).not.toHaveProperty("reach");
  made = [];
  expect(await nodeOf("cloud", bought, {})).not.toHaveProperty("reach");
});
