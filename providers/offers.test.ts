import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hourlyOf, offer } from "../agent/contract/plan.ts";
import { type CloudOfferWish, cloudOffers, placeOfOffer } from "./offers.ts";
import type { Catalog, CatalogEntry } from "./provider.ts";

const region = "eu-central-1";
const anEntry = (fields: Partial<CatalogEntry> = {}): CatalogEntry => ({
  instanceType: "m7i.large",
  region,
  zones: ["eu-central-1a"],
  arch: "x64",
  cpu: 2000,
  memory: 8192,
  gpus: [],
  isBareMetal: false,
  isBurstable: false,
  onDemand: 0.12,
  spot: { "eu-central-1a": 0.05, "eu-central-1b": 0.04 },
  ...fields,
});
const aCatalog = (entries: readonly CatalogEntry[], fields: Partial<Catalog> = {}): Catalog => ({
  provider: "aws",
  region,
  fetchedAt: 0,
  diskGiB: 0.0001,
  publicAddress: 0.005,
  entries,
  ...fields,
});
const types: CloudOfferWish["types"] = { cpu: [2, 32], arch: ["x64", "arm64"], bareMetal: false, burstable: false };
const aWish = (fields: Partial<CloudOfferWish> = {}): CloudOfferWish => ({
  burstPool: "cloud",
  provider: "aws",
  regions: [region],
  market: ["on-demand"],
  types,
  zones: {},
  diskGiB: 20,
  address: "public",
  maxNodes: 10,
  launchTimeoutMs: 180_000,
  teardownMs: 600_000,
  expectedSeconds: {},
  ...fields,
});
const typesOf = (entries: readonly CatalogEntry[], wish: Partial<CloudOfferWish["types"]>) =>
  cloudOffers(aWish({ types: { ...types, ...wish } }), [aCatalog(entries)]).map(({ instanceType = "" }) => instanceType);

describe("an offer", () => {
  it("holds what tasks may use of the machine, and each part of its price", () => {
    const [one] = cloudOffers(aWish(), [aCatalog([anEntry()])]);
    expect(offer.parse(one)).toEqual(one);
    expect(one).toMatchObject({
      id: "cloud/eu-central-1/eu-central-1a/m7i.large/on-demand",
      burstPool: "cloud",
      provider: "aws",
      instanceType: "m7i.large",
      region,
      zone: "eu-central-1a",
      market: "on-demand",
      price: { machine: 0.12, disk: 0.002, address: 0.005 },
      maxNodes: 10,
      pretend: false,
    });
    expect(one?.shape.cpu).toBeLessThan(2000);
    expect(one?.shape.memory).toBeLessThan(8192);
  });

  it("says how often its cloud takes such machines back, where that is spot", () => {
    const entries = [anEntry({ reclaimed: 0.1 })];
    const offers = cloudOffers(aWish({ market: ["spot", "on-demand"] }), [aCatalog(entries)]);
    expect(offers.map(({ market, reclaimed }) => [market, reclaimed])).toEqual([
      ["spot", 0.1],
      ["on-demand", undefined],
    ]);
  });

  it("costs no address where the machine has none of its own", () => {
    const [one] = cloudOffers(aWish({ address: "private" }), [aCatalog([anEntry()])]);
    expect(one && hourlyOf(one)).toBeCloseTo(0.122, 9);
  });

  it("is known by its id again", () => {
    for (const zones of [["eu-central-1a"], []]) {
      const [one] = cloudOffers(aWish(), [aCatalog([anEntry({ zones })])]);
      expect(placeOfOffer(one?.id ?? "")).toEqual({
        burstPool: "cloud",
        region,
        zone: zones[0] ?? "",
        instanceType: "m7i.large",
        market: "on-demand",
      });
    }
    for (const id of ["overflow/local", "a/b/c/d/spot/e", "a/b/c/d/cheap"]) expect(() => placeOfOffer(id)).toThrow(/^bug: /);
  });
});

describe("the types that may be bought", () => {
  const size = (instanceType: string, cores: number, gib: number, fields: Partial<CatalogEntry> = {}) =>
    anEntry({ instanceType, cpu: cores * 1000, memory: gib * 1024, onDemand: cores * 0.05, ...fields });
  const small = size("c.small", 2, 4);
  const middle = size("m.middle", 8, 32);
  const large = size("r.large", 32, 256);

  it("have cores and memory within both bounds, which count", () => {
    expect(typesOf([small, middle, large], { cpu: [2, 8] }).toSorted()).toEqual(["c.small", "m.middle"]);
    expect(typesOf([small, middle, large], { cpu: [8, 32] }).toSorted()).toEqual(["m.middle", "r.large"]);
    expect(typesOf([small, middle, large], { memory: [32 * 1024, 256 * 1024] }).toSorted()).toEqual(["m.middle", "r.large"]);
  });

  it("have no GPU unless one is wished for, and then the one that is", () => {
    const t4 = size("g.t4", 4, 16, { gpus: [{ model: "t4", count: 1 }] });
    const a100 = size("p.a100", 4, 16, { gpus: [{ model: "a100", count: 8 }] });
    expect(typesOf([small, t4, a100], {})).toEqual(["c.small"]);
    expect(typesOf([small, t4, a100], { gpu: { count: [1, 8] } }).toSorted()).toEqual(["g.t4", "p.a100"]);
    expect(typesOf([small, t4, a100], { gpu: { model: "t4", count: [1, 8] } })).toEqual(["g.t4"]);
    expect(typesOf([small, t4, a100], { gpu: { count: [2, 8] } })).toEqual(["p.a100"]);
    expect(typesOf([small, t4, a100], { gpu: { model: "a*", count: [1, 8] } })).toEqual(["p.a100"]);
  });

  it("are of the wished architecture, and neither bare metal nor lent CPU unless that is said", () => {
    const all = [small, size("c.arm", 2, 4, { arch: "arm64" }), size("c.metal", 2, 4, { isBareMetal: true }), size("t.lent", 2, 4)];
    all[3] = { ...(all[3] as CatalogEntry), isBurstable: true };
    expect(typesOf(all, { arch: ["x64"] })).toEqual(["c.small"]);
    expect(typesOf(all, { arch: ["arm64"] })).toEqual(["c.arm"]);
    expect(typesOf(all, { arch: ["x64"], bareMetal: true }).toSorted()).toEqual(["c.metal", "c.small"]);
    expect(typesOf(all, { arch: ["x64"], burstable: true }).toSorted()).toEqual(["c.small", "t.lent"]);
  });

  it("match one of the names, of which * stands for anything and a point for itself", () => {
    expect(typesOf([small, middle, large], { names: ["c.*", "r.large"] }).toSorted()).toEqual(["c.small", "r.large"]);
    expect(typesOf([small], { names: ["c"] })).toEqual([]);
    expect(typesOf([small], { names: ["*small"] })).toEqual(["c.small"]);
    expect(typesOf([size("cxsmall", 2, 4)], { names: ["c.small"] })).toEqual([]);
  });
});

describe("places", () => {
  it("are the zones that sell it and in which a machine can be made", () => {
    const entry = anEntry({ zones: ["eu-central-1a", "eu-central-1b", "eu-central-1c"] });
    const zonesOf = (zones: CloudOfferWish["zones"]) =>
      cloudOffers(aWish({ zones }), [aCatalog([entry])])
        .map(({ zone = "" }) => zone)
        .toSorted();
    expect(zonesOf({})).toEqual(["eu-central-1a", "eu-central-1b", "eu-central-1c"]);
    expect(zonesOf({ [region]: ["eu-central-1b", "eu-central-1d"] })).toEqual(["eu-central-1b"]);
    expect(zonesOf({ [region]: [] })).toEqual([]);
  });

  it("have each their own spot price, and nothing is offered where there is none", () => {
    const entry = anEntry({ zones: ["eu-central-1a", "eu-central-1b", "eu-central-1c"] });
    const spot = cloudOffers(aWish({ market: ["spot"] }), [aCatalog([entry])]);
    expect(spot.map(({ zone, price }) => [zone, price.machine])).toEqual([
      ["eu-central-1b", 0.04],
      ["eu-central-1a", 0.05],
    ]);
    const regional = anEntry({ zones: [], spot: { "": 0.03 } });
    expect(cloudOffers(aWish({ market: ["spot"] }), [aCatalog([regional])])).toMatchObject([{ price: { machine: 0.03 } }]);
  });

  it("are those of the pool's own cloud and regions, as far as their catalogs are known", () => {
    const catalogs = [aCatalog([anEntry()]), aCatalog([anEntry()], { provider: "azure" }), aCatalog([anEntry()], { region: "us-east-1" })];
    expect(cloudOffers(aWish({ regions: [region, "eu-west-1"] }), catalogs)).toHaveLength(1);
  });
});

describe("how many machines of an offer there may be", () => {
  it.each([
    [undefined, 10],
    [9, 4],
    [100, 10],
  ])("is, with a quota of %s vCPUs, %d", (vcpus, machines) => {
    const quota = vcpus === undefined ? {} : { quota: { "": { "on-demand": vcpus } } };
    expect(cloudOffers(aWish(), [aCatalog([anEntry()], quota)])).toMatchObject([{ maxNodes: machines }]);
  });

  it("leaves out what the quota has no room for", () => {
    expect(cloudOffers(aWish(), [aCatalog([anEntry()], { quota: { "": { "on-demand": 1 } } })])).toEqual([]);
    expect(cloudOffers(aWish(), [aCatalog([anEntry()], { quota: { "": { spot: 1 } } })])).toHaveLength(1);
  });

  it("is bounded by the quota of its own family, not by that of another, and by that of all types too", () => {
    const entries = [anEntry({ quotaFamily: "Standard" }), anEntry({ instanceType: "x2gd.large", memory: 32_768, quotaFamily: "X" })];
    const most = (all: number) => {
      const quota = { Standard: { "on-demand": 4 }, X: { "on-demand": 12 }, "": { "on-demand": all } };
      return Object.fromEntries(cloudOffers(aWish(), [aCatalog(entries, { quota })]).map((one) => [one.instanceType, one.maxNodes]));
    };
    expect(most(100)).toEqual({ "m7i.large": 2, "x2gd.large": 6 });
    expect(most(6)).toEqual({ "m7i.large": 2, "x2gd.large": 3 });
  });
});

/** As much of everything for no more, and better in something; of two alike the first by name. */
function isBetter(one: CatalogEntry, other: CatalogEntry): boolean {
  const costs = ({ onDemand = 0 }: CatalogEntry) => onDemand;
  const gains = [one.cpu - other.cpu, one.memory - other.memory, costs(other) - costs(one)];
  if (gains.some((gain) => gain < 0)) return false;
  return gains.some((gain) => gain > 0) || `${one.instanceType}/` < `${other.instanceType}/`;
}

function longestChain(entry: CatalogEntry, all: readonly CatalogEntry[]): number {
  const better = all.filter((one) => one !== entry && isBetter(one, entry));
  return better.length === 0 ? 0 : 1 + Math.max(...better.map((one) => longestChain(one, better)));
}

describe("what is left out", () => {
  const priced = (instanceType: string, onDemand: number, fields: Partial<CatalogEntry> = {}) =>
    anEntry({ instanceType, onDemand, ...fields });

  it("is what three others beat, one after the other: as much of everything for less", () => {
    const entries = [priced("a", 0.1), priced("b", 0.11), priced("c", 0.12), priced("d", 0.13)];
    expect(typesOf(entries, {})).toEqual(["a", "b", "c"]);
  });

  it("is nothing that has more of something", () => {
    const entries = [priced("a", 0.1), priced("b", 0.11), priced("c", 0.12), priced("d", 0.5, { memory: 16_384 })];
    expect(typesOf(entries, {})).toEqual(["a", "b", "c", "d"]);
  });

  it("is nothing that its cloud takes back less often", () => {
    const spot = (instanceType: string, usd: number, reclaimed: number) =>
      anEntry({ instanceType, spot: { "eu-central-1a": usd }, reclaimed });
    const entries = [spot("a", 0.1, 0.2), spot("b", 0.11, 0.2), spot("c", 0.12, 0.2), spot("d", 0.13, 0), spot("e", 0.14, 0.2)];
    const kept = cloudOffers(aWish({ market: ["spot"] }), [aCatalog(entries)]).map(({ instanceType = "" }) => instanceType);
    expect(kept.toSorted()).toEqual(["a", "b", "c", "d"]);
  });

  it("is, of two that are alike, neither both nor another one each time", () => {
    const entries = ["d", "c", "b", "a"].map((name) => priced(name, 0.1));
    expect(typesOf(entries, {})).toEqual(["a", "b", "c"]);
    expect(typesOf(entries.toReversed(), {})).toEqual(["a", "b", "c"]);
  });

  it("is, in each place, just what is beaten three times in a row there", () => {
    const entries = fc.array(
      fc.record({
        cores: fc.integer({ min: 1, max: 6 }),
        gib: fc.integer({ min: 1, max: 6 }),
        cents: fc.integer({ min: 1, max: 12 }),
        zones: fc.uniqueArray(fc.constantFrom("eu-central-1a", "eu-central-1b"), { minLength: 1 }),
      }),
      { maxLength: 16 },
    );
    fc.assert(
      fc.property(entries, (all) => {
        const sold = all.map(({ cores, gib, cents, zones }, index) =>
          priced(`t${index}`, cents / 100, { cpu: cores * 1000, memory: gib * 8192, zones }),
        );
        const kept = cloudOffers(aWish({ types: { ...types, cpu: [1, 6] } }), [aCatalog(sold)]);
        for (const zone of ["eu-central-1a", "eu-central-1b"]) {
          const there = sold.filter(({ zones }) => zones.includes(zone));
          const ofZone = kept.filter((one) => one.zone === zone).map(({ instanceType = "" }) => instanceType);
          for (const entry of there) {
            // How many beat it one after the other decides: none or up to two, and it is there.
            const isKept = longestChain(entry, there) < 3;
            expect(ofZone.includes(entry.instanceType), entry.instanceType).toBe(isKept);
          }
        }
      }),
    );
  });
});

it("are no more than three hundred, and none of the types is crowded out by other places of a cheaper one", () => {
  const regions = Array.from({ length: 12 }, (_unused, index) => `eu-west-${index}`);
  const catalogs = regions.map((one, place) =>
    aCatalog(
      Array.from({ length: 32 }, (_unused, index) =>
        anEntry({
          instanceType: `t${index + 1}`,
          region: one,
          zones: [],
          cpu: (index + 1) * 1000,
          memory: (index + 1) * 4096,
          onDemand: (index + 1) ** 2 * (1 + place / 100),
        }),
      ),
      { region: one },
    ),
  );
  const offers = cloudOffers(aWish({ regions, types: { ...types, cpu: [1, 32] } }), catalogs);
  expect(offers).toHaveLength(300);
  expect(new Set(offers.map(({ instanceType }) => instanceType)).size).toBe(32);
  expect(offers.filter(({ region: one }) => one === "eu-west-0")).toHaveLength(32);
  const perCore = offers.map((one) => hourlyOf(one) / one.shape.cpu);
  expect(perCore).toEqual(perCore.toSorted((a, b) => a - b));
});
