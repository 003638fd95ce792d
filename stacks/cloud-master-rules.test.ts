import { describe, expect, it } from "vitest";
import { parseSettings } from "./settings.ts";
import { aws, azure, bursting, buying, inClouds, problemsOf } from "./testing/cloud-pools.ts";

const endpoint = "https://pool.example.org:7070";
const network = { subnets: { "eu-central-1a": "subnet-1" }, securityGroups: ["sg-1"] };
const mine = { masterFrom: ["203.0.113.7/32", "2001:db8::7/128"] };
const rest =
  "are in another network and dial the master from addresses that their cloud chooses: write blocks that hold them, put them into eu-central-1 of the same cloud, or write masters.endpoint, a URL that they can dial";

describe("a master in a cloud", () => {
  it("must be open to those who dial it, and may not be taken away", () => {
    expect(problemsOf(inClouds({ pools: { base: aws({ masterFrom: undefined, market: "spot" }) } }))).toEqual([
      "pools.base.masterFrom: is missing: the blocks of addresses from which you, and agents of other networks, dial the master, e.g. [203.0.113.7/32]",
      "pools.base.market: must be on-demand for the master: a spot machine may be taken away with all it knows",
    ]);
    expect(problemsOf(inClouds({ pools: { base: aws(), more: aws({ masterFrom: undefined, market: "spot" }) } }))).toEqual([]);
  });

  it("may have a URL of its own, or take the address that its machine gets", () => {
    expect(problemsOf(inClouds())).toEqual([]);
    expect(parseSettings(inClouds({ masters: { pool: "base", endpoint } })).masters.endpoint).toBe(endpoint);
  });

  it("behind a jump host needs a URL that people can dial", () => {
    const jumps = { bastion: { host: "192.0.2.1", hostKey: `SHA256:${"A".repeat(43)}` } };
    const pools = { base: aws({ network, address: "private", jump: "bastion" }) };
    expect(problemsOf(inClouds({ pools, jumps }))).toEqual([
      'masters.endpoint: is missing: the machines of pool "base" have private addresses behind a jump host, and people dial the master without one',
    ]);
    expect(problemsOf(inClouds({ pools, jumps, masters: { pool: "base", endpoint } }))).toEqual([]);
    expect(problemsOf(inClouds({ pools: { base: aws({ network, address: "private" }) } }))).toEqual([]);
  });

  it("that lets in single addresses alone can't be dialled from another network", () => {
    const pools = { base: aws(mine), back: azure(), far: aws({ region: "us-east-1" }) };
    expect(problemsOf(inClouds({ pools }))).toEqual([
      `pools.base.masterFrom: lets in single addresses alone, but the machines of pools.back, pools.far ${rest}`,
    ]);
    const bursts = { near: buying(), cloud: buying({ regions: ["eu-central-1", "us-east-1"] }) };
    expect(problemsOf(bursting(bursts, { pools: { base: aws(mine) } }))).toEqual([
      `pools.base.masterFrom: lets in single addresses alone, but the machines of burst.pools.cloud ${rest}`,
    ]);
  });

  it.each([
    ["a block", { pools: { base: aws({ masterFrom: [...mine.masterFrom, "198.51.100.0/24"] }), back: azure() } }],
    ["a URL of its own", { masters: { pool: "base", endpoint }, pools: { base: aws(mine), back: azure() } }],
    ["its own rules", { pools: { base: aws({ ...mine, network }), back: azure() } }],
    ["single addresses, and all others in its network", { pools: { base: aws(mine), more: aws() } }],
    ["single addresses, and the others' way out among them", { pools: { base: aws(mine), more: aws({ network, address: "private" }) } }],
  ])("may let in %s", (_whom, over) => {
    expect(problemsOf(inClouds(over))).toEqual([]);
  });
});
