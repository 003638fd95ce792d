import * as pulumi from "@pulumi/pulumi";
import { expect, it } from "vitest";
import type { BurstRow } from "../../agent/contract/ledger.ts";
import type { CloudMaker } from "../clouds.ts";
import { parseSettings } from "../settings.ts";
import { bursting, buying } from "../testing/cloud-pools.ts";
import type { BursterConfig } from "./config.ts";
import { burstProgram } from "./program.ts";

const ids = { subnets: { "eu-central-1a": "subnet-1" }, securityGroups: ["sg-1"] };
const inside = "https://10.203.0.9:7070";

type Inputs = Readonly<Record<string, unknown>>;

/** The inputs of the node, and of its machine's seed, of a burst of one machine that is bought in this region. */
async function boughtIn(region: string, over: Partial<BursterConfig> = {}): Promise<{ node: Inputs; seed: Inputs }> {
  let node: Inputs = {};
  let seed: Inputs = {};
  await pulumi.runtime.setMocks({
    newResource({ type, name, inputs }) {
      if (type.endsWith(":Node")) node = inputs;
      if (type.endsWith(":MachineSeed")) seed = inputs;
      return { id: `${name}-id`, state: { ...inputs, machine: { name }, hostKey: "SHA256:seed", userData: "#cloud-config" } };
    },
    call: ({ inputs }) => inputs,
  });
  const maker: CloudMaker = {
    network: () => pulumi.output(ids),
    machine: (_spec, { name }) => {
      const resource = new pulumi.ComponentResource("test:index:Machine", name);
      const text = (value: string) => pulumi.output(value);
      return { resource, providerId: text("i-1"), host: text("203.0.113.9"), privateHost: text("10.203.0.9"), zone: text(`${region}a`) };
    },
  };
  const pools = parseSettings(bursting({ cloud: buying({ regions: [region], networks: { [region]: ids } }) })).burst?.pools;
  const config = { environment: "prod", environmentId: "env-a", endpoint: "https://pool.example.org:7070", pools, ...over };
  const row = { id: "b-1", burstPool: "cloud", nodes: ["b-1-1"], hourly: 0.1, offer: `cloud/${region}/${region}a/m7i.large/on-demand` };
  const program = burstProgram(config as unknown as BursterConfig, row as unknown as BurstRow, { aws: maker });
  const made = (await program()) as { health: pulumi.Output<string>[] };
  await new Promise((resolve) => pulumi.all(made.health).apply(resolve));
  return { node, seed };
}

it("a machine that is bought in the master's own network dials it from inside, while the burster dials it as people do", async () => {
  const nearby = { endpoint: inside, regions: { cloud: ["eu-central-1"] } };
  const { node } = await boughtIn("eu-central-1", { nearby });
  expect(node).toMatchObject({ endpoint: "https://pool.example.org:7070", dials: inside });
});

it("one that is bought elsewhere, or while the master is in no cloud, dials its usual URL", async () => {
  const nearby = { endpoint: inside, regions: { cloud: ["eu-central-1"], other: ["us-east-1"] } };
  expect((await boughtIn("us-east-1", { nearby })).node).not.toHaveProperty("dials");
  expect((await boughtIn("eu-central-1")).node).not.toHaveProperty("dials");
});

it("one of an environment with tunnels is reached by one, and dials nobody else", async () => {
  expect((await boughtIn("eu-central-1", { reach: "reverse", expireAfterMs: 60_000 })).node).toMatchObject({
    reach: "reverse",
    deadManMs: 60_000,
  });
  expect((await boughtIn("eu-central-1")).node).not.toHaveProperty("reach");
});

it("one that gets no agent ends itself once its launch is over and no agent would wait any longer", async () => {
  const pool = parseSettings(bursting({ cloud: buying({ launchTimeout: "4m" }) })).burst?.pools.cloud;
  expect(pool?.launchTimeoutMs).toBe(240_000);
  const { seed } = await boughtIn("eu-central-1", {
    expireAfterMs: 60_000,
    pools: { cloud: { ...pool, networks: { "eu-central-1": ids } } } as never,
  });
  expect(seed).toMatchObject({ unclaimed: { cloud: "aws", burst: "b-1", afterMs: 300_000 } });
  expect((await boughtIn("eu-central-1")).seed).not.toHaveProperty("unclaimed");
});
