import { describe, expect, it } from "vitest";
import { isSameNetwork, type NetworkPlace, namesNear, regionsNear } from "./same-network.ts";
import { parseSettings } from "./settings.ts";
import { aws, azure, bursting, buying, inClouds } from "./testing/cloud-pools.ts";
import { mastersMachine, wantedMachines } from "./wanted-machines.ts";

const place = (over: Partial<NetworkPlace> = {}): NetworkPlace => ({ cloud: "aws", region: "eu-central-1", ...over });
const vpc = (subnet: string, group: string) => ({ subnets: { "eu-central-1a": subnet }, securityGroups: [group] });
const net = (subnet: string) => ({ resourceGroup: "ours", subnet, securityGroup: "/subscriptions/s/g" });
const inNet = (own: NetworkPlace["own"]) => place({ cloud: "azure", region: "westeurope", own });
const vnet = "/subscriptions/s/resourceGroups/ours/providers/Microsoft.Network/virtualNetworks";

describe("two machines stand in one network", () => {
  it("where one network is made for the region of both", () => {
    expect(isSameNetwork(place(), place())).toBe(true);
    expect(isSameNetwork(place(), place({ region: "eu-west-1" }))).toBe(false);
    expect(isSameNetwork(place(), place({ cloud: "azure" }))).toBe(false);
    expect(isSameNetwork(place(), place({ own: vpc("subnet-1", "sg-1") }))).toBe(false);
  });

  it.each([
    ["the same ids", vpc("subnet-1", "sg-1"), true],
    ["a subnet in common", vpc("subnet-1", "sg-2"), true],
    ["a security group in common", vpc("subnet-2", "sg-1"), true],
    ["nothing in common", vpc("subnet-2", "sg-2"), false],
  ])("in AWS where networks of one's own have %s: %j → %s", (_what, other, isSame) => {
    expect(isSameNetwork(place({ own: vpc("subnet-1", "sg-1") }), place({ own: other }))).toBe(isSame);
  });

  it.each([
    [`${vnet}/net/subnets/back`, true],
    [`${vnet.toUpperCase()}/NET/subnets/front`, true],
    [`${vnet}/net2/subnets/back`, false],
  ])("in Azure where the subnets are of one virtual network: %s → %s", (subnet, isSame) => {
    expect(isSameNetwork(inNet(net(`${vnet}/net/subnets/back`)), inNet(net(subnet)))).toBe(isSame);
  });
});

describe("near a master in a cloud", () => {
  const near = (value: object) => {
    const settings = parseSettings(value);
    const wanted = wantedMachines(settings);
    const carrier = mastersMachine(wanted, settings);
    return { names: [...namesNear(carrier, wanted)], regions: regionsNear(carrier, settings.burst?.pools ?? {}) };
  };
  const rack = { provider: "ssh", hosts: [{ host: "192.0.2.11", trustOnFirstUse: true }] };

  it("are its own machine and those of its network, in whatever pool", () => {
    const far = aws({ region: "us-east-1", masterFrom: undefined });
    const own = aws({ network: vpc("subnet-1", "sg-1"), masterFrom: undefined });
    const pools = { base: aws({ count: 2 }), more: aws(), far, own, back: azure(), rack };
    expect(near(inClouds({ pools })).names).toEqual(["base-1", "base-2", "more-1"]);
  });

  it("are the burst pools' regions whose machines are put there", () => {
    const regions = ["us-east-1", "eu-central-1"];
    const pools = {
      cloud: buying({ regions }),
      own: buying({ regions, networks: { "eu-central-1": vpc("subnet-1", "sg-1") } }),
      back: buying({ provider: "azure", regions: ["westeurope"] }),
    };
    const burst = { pools, maxNodes: 10, budget: { perDay: 50 }, expireAfter: "30m" };
    expect(near(inClouds({ burst })).regions).toEqual({ cloud: ["eu-central-1"] });
  });

  it("is nobody where it is on a host", () => {
    const masters = { pool: "rack", endpoint: "https://pool.example.org:7070" };
    expect(near(bursting({ cloud: buying() }, { masters, pools: { rack, base: aws() } }))).toEqual({ names: [], regions: {} });
  });
});
