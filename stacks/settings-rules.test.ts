import { describe, expect, it } from "vitest";
import { aws, azure, bursting, buying, inClouds, problemsOf } from "./testing/cloud-pools.ts";

const hostKey = `SHA256:${"A".repeat(43)}`;
const rack = { provider: "ssh", hosts: [{ host: "192.0.2.11", hostKey }] };
const endpoint = "https://pool.example.org:7070";
const network = { subnets: { "eu-central-1a": "subnet-1" }, securityGroups: ["sg-1"] };

describe("machines in clouds", () => {
  it("need someone who may come in by SSH", () => {
    expect(problemsOf(inClouds({ pools: { base: aws({ sshFrom: undefined }) } }))).toEqual([
      "pools.base.sshFrom: is missing: the blocks of addresses that may reach these machines by SSH, e.g. [203.0.113.7/32]",
    ]);
    expect(problemsOf(bursting({ cloud: buying({ sshFrom: undefined }) }))).toEqual([
      "burst.pools.cloud.sshFrom: is missing: the blocks of addresses that may reach these machines by SSH, e.g. [203.0.113.7/32]",
    ]);
  });

  it("need nothing of it in a network of one's own, whose rules count there", () => {
    expect(problemsOf(inClouds({ pools: { base: aws({ sshFrom: undefined, masterFrom: undefined, network }) } }))).toEqual([]);
    const own = { "eu-central-1": network };
    expect(problemsOf(bursting({ cloud: buying({ sshFrom: undefined, networks: own }) }))).toEqual([]);
    expect(
      problemsOf(bursting({ cloud: buying({ sshFrom: undefined, networks: own, regions: ["eu-central-1", "eu-west-1"] }) })),
    ).toHaveLength(1);
  });

  it("are private only in a network of one's own, since one that is made has no way in or out for them", () => {
    expect(problemsOf(inClouds({ pools: { base: aws(), back: azure({ address: "private" }) } }))).toEqual([
      "pools.back.address: private machines need a network of your own with a way out and in: write network",
    ]);
    expect(problemsOf(inClouds({ pools: { base: aws(), back: aws({ address: "private", network }) } }))).toEqual([]);
  });

  it.each([
    ["us-east-1a", aws({ zones: ["eu-central-1a", "us-east-1a"] }), "eu-central-1"],
    ["eu-central-1-ham-1a", aws({ zones: ["eu-central-1a", "eu-central-1-ham-1a"] }), "eu-central-1"],
    ["westeurope-1", azure({ zones: ["1", "westeurope-1"] }), "westeurope"],
  ])("are not put into %s, which is a zone of another region or none at all", (zone, pool, region) => {
    expect(problemsOf(inClouds({ pools: { base: aws(), more: pool } }))).toEqual([`pools.more.zones[1]: ${zone} is no zone of ${region}`]);
  });

  it("take no secret for bursts that only a person could give, on the way neither", () => {
    const jumps = { bastion: { host: "192.0.2.1", hostKey, key: "~/.ssh/id", keyPassphrase: "ask" } };
    expect(problemsOf(bursting({ cloud: buying({ jump: "bastion" }) }, { jumps }))).toEqual([
      "burst.pools.cloud.jump: the keyPassphrase of each jump host must be file:~/PATH for bursts: the burster has nobody to ask and none of your variables",
    ]);
  });
});

describe("the master", () => {
  it("on a host of one's own needs a URL that machines in clouds can dial, which is said once", () => {
    const settings = { masters: { pool: "rack" }, pools: { rack, base: aws({ masterFrom: undefined }) } };
    const burst = { pools: { cloud: buying() }, maxNodes: 1, budget: { perHour: 1 } };
    expect(problemsOf({ ...settings, burst })).toEqual([
      "masters.endpoint: is missing: the URL by which the machines of pools.base, burst.pools.cloud reach the master, e.g. https://pool.example.org:7070; or write reach: reverse",
    ]);
    expect(problemsOf({ ...settings, burst, masters: { pool: "rack", endpoint } })).toEqual([]);
    expect(problemsOf({ masters: { pool: "rack" }, pools: { rack } })).toEqual([]);
  });

  it("on this computer can't be dialled from a cloud", () => {
    const local = { m: { provider: "local" } };
    expect(problemsOf({ masters: { pool: "m" }, pools: { ...local, base: aws() } })).toEqual([
      "masters.pool: the machines of pool \"base\" can't dial a master on this computer's loopback; choose that pool for it, or write reach: reverse",
    ]);
    const burst = { pools: { cloud: buying() }, maxNodes: 1, budget: { perHour: 1 } };
    expect(problemsOf({ masters: { pool: "m" }, pools: local, burst }).join()).toContain(
      "burst.pools.cloud.provider: machines elsewhere can't dial a master on this computer's loopback",
    );
  });

  it("in a cloud has no use for machines on this computer", () => {
    expect(problemsOf(bursting({ overflow: { provider: "local" } })).join()).toContain(
      "burst.pools.overflow.provider: machines on this computer burst only where the master is on this computer too",
    );
  });
});
