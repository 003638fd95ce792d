import { expect, it } from "vitest";
import { cloudPoolCosts } from "./cloud-pool-cost.ts";
import { parseSettings } from "./settings.ts";
import { aCatalog, anEntry, aws, azure, inClouds } from "./testing/cloud-pools.ts";

const costs = (pools: object, catalogs: readonly ReturnType<typeof aCatalog>[]) =>
  cloudPoolCosts(parseSettings(inClouds({ pools })), ({ cloud, region }) =>
    catalogs.find((one) => one.provider === cloud && one.region === region),
  );

it("is that of all machines of a pool, with their disks and addresses", () => {
  expect(costs({ base: aws({ count: 2 }) }, [aCatalog({ fetchedAt: 7 })])).toEqual([
    {
      pool: "base",
      cloud: "aws",
      region: "eu-central-1",
      instanceType: "m7i.large",
      market: "on-demand",
      machines: 2,
      hourly: 0.254,
      askedAt: 7,
    },
  ]);
});

it("is of spot machines that of the zone in which each stands", () => {
  const spot = aws({ count: 3, market: "spot", zones: ["eu-central-1a", "eu-central-1b"] });
  // 0.05 + 0.04 + 0.05, and 0.007 for each disk and address.
  expect(costs({ base: aws(), more: spot }, [aCatalog()])[1]).toMatchObject({ pool: "more", hourly: 0.161 });
});

it("is not known where the cloud was never asked, or does not sell the type", () => {
  const [base, back] = costs({ base: aws(), back: azure() }, [aCatalog({ fetchedAt: 7, entries: [anEntry({ instanceType: "x.large" })] })]);
  expect(base).not.toHaveProperty("hourly");
  expect(base).toHaveProperty("askedAt", 7);
  expect(back).not.toHaveProperty("hourly");
  expect(back).not.toHaveProperty("askedAt");
});

it("is an estimate where a type is to be chosen: that of the cheapest that fits and is allowed", () => {
  const pools = { base: aws({ instanceType: undefined, types: { cpu: [2, 4] }, count: 2 }) };
  const entries = [anEntry({ instanceType: "c7i.large", onDemand: 0.1 }), anEntry()];
  expect(costs(pools, [aCatalog({ entries })])[0]).toMatchObject({ instanceType: "c7i.large", hourly: 0.214, isEstimate: true });
  const guarded = parseSettings(inClouds({ pools, guards: { types: ["m7i.*"] } }));
  expect(cloudPoolCosts(guarded, () => aCatalog({ entries }))[0]).toMatchObject({ instanceType: "m7i.large", hourly: 0.254 });
});

it("is not known where no type fits, or the cloud was never asked", () => {
  const pools = { base: aws({ instanceType: undefined, types: { cpu: [64, 64] } }) };
  for (const catalogs of [[aCatalog()], []]) {
    const [base] = costs(pools, catalogs);
    expect(base).toMatchObject({ isEstimate: true, machines: 1 });
    expect(base).not.toHaveProperty("hourly");
    expect(base).not.toHaveProperty("instanceType");
  }
});

it("is nothing of machines that no cloud makes", () => {
  expect(cloudPoolCosts(parseSettings({ masters: { pool: "m" }, pools: { m: { provider: "local" } } }))).toEqual([]);
});
