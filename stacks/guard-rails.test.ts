import { describe, expect, it } from "vitest";
import { allowedTypes, overridesOf } from "./guard-rails.ts";
import { parseSettings } from "./settings.ts";
import { aws, azure, bursting, buying, inClouds, problemsOf } from "./testing/cloud-pools.ts";

const world = ["0.0.0.0/0"];
const reason = "a workshop, until Friday";

describe("the guard rail", () => {
  it.each(["0.0.0.0/0", "203.0.113.7/0", "::/0", "0.0.0.0/1", "64.0.0.0/2", "2000::/3"])("ssh-open-to-all refuses %s", (block) => {
    expect(problemsOf(inClouds({ pools: { base: aws({ sshFrom: ["192.0.2.0/24", block] }) } }))).toEqual([
      `pools.base.sshFrom[1]: ${block} lets in the whole world: write your own addresses, e.g. 203.0.113.7/32. To set this rule aside: guards: { override: { ssh-open-to-all: "the reason" } }`,
    ]);
  });

  it.each(["10.0.0.0/8", "203.0.113.7/32", "2001:db8::/32", "2001::/16"])("ssh-open-to-all has nothing against %s", (block) => {
    expect(problemsOf(inClouds({ pools: { base: aws({ sshFrom: [block] }) } }))).toEqual([]);
  });

  it("ssh-open-to-all counts for bursts too", () => {
    expect(problemsOf(bursting({ cloud: buying({ sshFrom: world }) })).join()).toMatch(
      /^burst\.pools\.cloud\.sshFrom\[0\]: .*ssh-open-to-all/,
    );
  });

  it("master-open-to-all refuses a master that the whole world may dial", () => {
    expect(problemsOf(inClouds({ pools: { base: aws({ masterFrom: world }) } })).join()).toMatch(
      /^pools\.base\.masterFrom\[0\]: .*master-open-to-all/,
    );
  });

  it("region-not-allowed names the regions that are, of node pools and of bursts", () => {
    const guards = { regions: ["eu-*", "westeurope"] };
    const pools = { base: aws(), far: azure({ region: "eastus" }) };
    const burst = { pools: { cloud: buying({ regions: ["eu-west-1", "us-east-1"] }) }, maxNodes: 1, budget: { perHour: 1 } };
    expect(problemsOf(inClouds({ pools, burst, guards })).map((line) => line.split(". To set")[0])).toEqual([
      "pools.far.region: eastus is none of those that guards allow: eu-*, westeurope",
      "burst.pools.cloud.regions: us-east-1 is none of those that guards allow: eu-*, westeurope",
    ]);
  });

  it("type-not-allowed names the types that are", () => {
    const pools = { base: aws({ instanceType: "p5.48xlarge" }) };
    expect(problemsOf(inClouds({ pools, guards: { types: ["m7i.*"] } })).join()).toContain(
      "pools.base.instanceType: p5.48xlarge is none of those that guards allow: m7i.*",
    );
    expect(problemsOf(inClouds({ guards: { types: ["m7i.*"] } }))).toEqual([]);
  });
});

describe("a pool that says what its type must have", () => {
  const guards = { types: ["m7i.*"] };
  const pools = { base: aws({ instanceType: undefined, types: {} }) };

  it("gets one that is allowed", () => {
    const settings = parseSettings(inClouds({ pools, guards }));
    expect(allowedTypes(settings.guards)).toEqual(["m7i.*"]);
    expect(overridesOf(settings)).toEqual([]);
    expect(allowedTypes(parseSettings(inClouds({ pools })).guards)).toBeUndefined();
  });

  it("gets any where that rule is set aside, which is told though nobody knows yet which", () => {
    const settings = parseSettings(inClouds({ pools, guards: { ...guards, override: { "type-not-allowed": reason } } }));
    expect(allowedTypes(settings.guards)).toBeUndefined();
    expect(overridesOf(settings)).toEqual([`the guard rail type-not-allowed is set aside: ${reason}`]);
  });
});

describe("setting a guard rail aside", () => {
  it("lets it pass and is told, with its reason", () => {
    const settings = parseSettings(
      inClouds({ pools: { base: aws({ masterFrom: world }) }, guards: { override: { "master-open-to-all": reason } } }),
    );
    expect(overridesOf(settings)).toEqual([`the guard rail master-open-to-all is set aside: ${reason}`]);
  });

  it("is told of one that stands against nothing by nobody", () => {
    expect(overridesOf(parseSettings(inClouds({ guards: { override: { "ssh-open-to-all": reason } } })))).toEqual([]);
  });

  it("holds for that rule alone", () => {
    const pools = { base: aws({ masterFrom: world, sshFrom: world }) };
    expect(problemsOf(inClouds({ pools, guards: { override: { "master-open-to-all": reason } } })).join()).toMatch(
      /^pools\.base\.sshFrom\[0\]/,
    );
  });

  it("needs a reason, and a rule that there is", () => {
    expect(problemsOf(inClouds({ guards: { override: { "ssh-open-to-all": "because" } } }))).toEqual([
      "guards.override.ssh-open-to-all: write a reason of at least 10 characters: it is recorded",
    ]);
    expect(problemsOf(inClouds({ guards: { override: { "ssh-open": reason } } })).join()).toContain("guards.override");
  });
});
