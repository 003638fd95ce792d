import { describe, expect, test } from "vitest";
import { bursterReport } from "../../agent/contract/burst-api.ts";
import { placeOfOffer } from "../../providers/offers.ts";
import { parseSettings } from "../settings.ts";
import { aCatalog, anEntry, bursting, buying } from "../testing/cloud-pools.ts";
import { cloudPlaces, offersOf } from "./offers.ts";

function poolsOf(pools: Record<string, object>, over: object = {}) {
  const { burst } = parseSettings(bursting(pools, over));
  if (burst === undefined) throw new Error("it has no bursts");
  return burst.pools;
}

describe("the offers of a cloud's burst pool", () => {
  test("come from its catalogs, and are in the zones of its networks alone", () => {
    const network = { subnets: { "eu-central-1b": "subnet-1" }, securityGroups: ["sg-1"] };
    const pools = poolsOf({ cloud: buying({ market: ["spot"], networks: { "eu-central-1": network } }) });
    expect(offersOf(pools, [aCatalog()]).map(({ id }) => placeOfOffer(id))).toEqual([
      { burstPool: "cloud", region: "eu-central-1", zone: "eu-central-1b", instanceType: "m7i.large", market: "spot" },
    ]);
    expect(offersOf(pools)).toEqual([]);
  });

  test("are everywhere that the cloud sells them, in a network that knows no zones", () => {
    const network = { resourceGroup: "g", subnet: "/subscriptions/s", securityGroup: "/subscriptions/n" };
    const pools = poolsOf({ cloud: buying({ provider: "azure", regions: ["westeurope"], networks: { westeurope: network } }) });
    const sold = anEntry({ region: "westeurope", instanceType: "Standard_D2s_v5", zones: ["1", "2"], spot: { "": 0.05 } });
    const offers = offersOf(pools, [aCatalog({ provider: "azure", region: "westeurope", entries: [sold] })]);
    expect(offers.map(({ zone, market }) => `${zone} ${market}`).toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
      "1 on-demand",
      "1 spot",
      "2 on-demand",
      "2 spot",
    ]);
  });

  test("are so many together as the master takes", () => {
    const entries = Array.from({ length: 300 }, (_unused, index) =>
      anEntry({ instanceType: `t${index}`, zones: [], cpu: 2000 + index, memory: 8192 - index, onDemand: 1, spot: {} }),
    );
    const names = Array.from({ length: 6 }, (_unused, index) => `cloud${index}`);
    const offers = offersOf(poolsOf(Object.fromEntries(names.map((name) => [name, buying()]))), [aCatalog({ entries })]);
    expect(bursterReport.shape.offers.safeParse(offers).success).toBe(true);
    for (const name of names) expect(offers.filter(({ burstPool }) => burstPool === name)).toHaveLength(166);
  });
});

test("the places where pools buy are the regions of those of clouds", () => {
  expect(
    cloudPlaces(
      poolsOf({ a: buying({ regions: ["eu-central-1", "eu-west-1"] }), b: buying({ provider: "azure", regions: ["westeurope"] }) }),
    ),
  ).toEqual([
    { cloud: "aws", region: "eu-central-1" },
    { cloud: "aws", region: "eu-west-1" },
    { cloud: "azure", region: "westeurope" },
  ]);
});
