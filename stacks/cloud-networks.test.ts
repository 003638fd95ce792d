import * as pulumi from "@pulumi/pulumi";
import { describe, expect, it } from "vitest";
import type { BurstPool } from "./burst-settings.ts";
import { networkKey, wantedNetworks, withNetworks } from "./cloud-networks.ts";
import type { CloudName, NetworkIds } from "./clouds.ts";
import { parseSettings } from "./settings.ts";
import { aws, azure, bursting, buying, inClouds } from "./testing/cloud-pools.ts";

const wanted = (settings: object) => wantedNetworks(parseSettings(settings), 7070);
const own = { subnets: { "eu-central-1a": "subnet-1" }, securityGroups: ["sg-1"] };

describe("the networks that are made", () => {
  it("are one for each region of each cloud, and the master's port is known where the master is", () => {
    const pools = { base: aws(), back: azure() };
    expect(wanted(inClouds({ pools }))).toEqual([
      {
        cloud: "aws",
        region: "eu-central-1",
        zones: [],
        sshFrom: ["203.0.113.7/32"],
        masterFrom: ["203.0.113.0/24"],
        masterPort: 7070,
      },
      { cloud: "azure", region: "westeurope", zones: [], sshFrom: ["203.0.113.7/32"], masterFrom: [] },
    ]);
  });

  it("let in those who dial the master at the port of its URL", () => {
    const portOf = (endpoint: string) => wanted(inClouds({ masters: { pool: "base", endpoint } }))[0]?.masterPort;
    expect(portOf("https://pool.example.org:8443")).toBe(8443);
    expect(portOf("https://pool.example.org")).toBe(443);
  });

  it("let in whom any of the pools there lets in, whatever their order", () => {
    const more = aws({ masterFrom: undefined, sshFrom: ["198.51.100.0/24", "203.0.113.7/32"], zones: ["eu-central-1b"] });
    for (const pools of [
      { base: aws(), more },
      { more, base: aws() },
    ]) {
      expect(wanted(inClouds({ pools }))).toEqual([
        {
          cloud: "aws",
          region: "eu-central-1",
          zones: ["eu-central-1b"],
          sshFrom: ["198.51.100.0/24", "203.0.113.7/32"],
          masterFrom: ["203.0.113.0/24"],
          masterPort: 7070,
        },
      ]);
    }
  });

  it("have a subnet in every zone that a pool names, also where bursts name none", () => {
    const pools = { base: aws({ zones: ["eu-central-1c"] }), more: aws({ zones: ["eu-central-1a", "eu-central-1c"] }) };
    const [network] = wanted(bursting({ cloud: buying() }, { pools }));
    expect(network?.zones).toEqual(["eu-central-1a", "eu-central-1c"]);
  });

  it("are those of bursts too, in each of their regions", () => {
    const settings = bursting({ cloud: buying({ regions: ["eu-central-1", "us-east-1"] }) });
    expect(wanted(settings).map(({ region, masterPort }) => [region, masterPort])).toEqual([
      ["eu-central-1", 7070],
      ["us-east-1", undefined],
    ]);
  });

  it("are none where all have a network of their own, or no machine is in a cloud", () => {
    expect(wanted(bursting({ cloud: buying({ networks: { "eu-central-1": own } }) }, { pools: { base: aws({ network: own }) } }))).toEqual(
      [],
    );
    expect(wanted({ masters: { pool: "m" }, pools: { m: { provider: "local" } } })).toEqual([]);
  });
});

describe("burst pools", () => {
  const ids = (cloud: CloudName, region: string, made: NetworkIds) => [networkKey(cloud, region), pulumi.output(made)] as const;
  const filled = async (pool: object) => {
    const pools = parseSettings(bursting({ cloud: pool, spare: buying({ provider: "azure", regions: ["westeurope"] }) })).burst?.pools;
    const networks = new Map([
      ids("aws", "eu-central-1", { subnets: { "eu-central-1a": "made" }, securityGroups: ["sg-made"] }),
      ids("azure", "westeurope", { resourceGroup: "g", subnet: "s", securityGroup: "n" }),
    ]);
    const output = withNetworks(pools as Record<string, BurstPool>, networks);
    return await new Promise<Record<string, BurstPool>>((resolve) => output.apply(resolve));
  };

  it("get the ids of the networks that were made for them, each of its own cloud", async () => {
    expect(await filled(buying())).toMatchObject({
      cloud: { networks: { "eu-central-1": { subnets: { "eu-central-1a": "made" }, securityGroups: ["sg-made"] } } },
      spare: { networks: { westeurope: { resourceGroup: "g", subnet: "s", securityGroup: "n" } } },
    });
  });

  it("keep the networks that the user has", async () => {
    const { cloud } = await filled(buying({ networks: { "eu-central-1": own } }));
    expect(cloud).toMatchObject({ networks: { "eu-central-1": own } });
  });
});
