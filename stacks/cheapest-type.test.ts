import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CatalogEntry } from "../providers/provider.ts";
import { againstEntry, cheapestType, type InstanceWish, instanceWishText, nearestType } from "./cheapest-type.ts";
import { aCatalog, anEntry } from "./testing/cloud-pools.ts";

const [a, b] = ["eu-central-1a", "eu-central-1b"];
const aWish = ({ requirements, ...fields }: Partial<InstanceWish> = {}): InstanceWish => ({
  region: "eu-central-1",
  zones: [],
  market: "on-demand",
  requirements: { cpu: [2, 32], arch: ["x64"], bareMetal: false, burstable: false, ...requirements },
  diskGiB: 20,
  address: "public",
  ...fields,
});
const chosenOf = (entries: readonly CatalogEntry[], wish: Partial<InstanceWish> = {}) => cheapestType(aCatalog({ entries }), aWish(wish));
const nameOf = (entries: readonly CatalogEntry[], wish: Partial<InstanceWish> = {}) => chosenOf(entries, wish)?.entry.instanceType;

const cheap = anEntry({ instanceType: "c7i.large", memory: 4096, onDemand: 0.1, spot: { [a]: 0.06, [b]: 0.02 } });
const dear = anEntry({ instanceType: "r7i.large", memory: 16_384, onDemand: 0.15 });

describe("the type of a node pool", () => {
  it("is the cheapest that has what is asked for, with the price of one machine, its disk and its address", () => {
    expect(chosenOf([dear, anEntry(), cheap])).toEqual({ entry: cheap, hourly: 0.107 });
    expect(nameOf([dear, anEntry(), cheap], { requirements: { ...aWish().requirements, memory: [8192, 65_536] } })).toBe("m7i.large");
    expect(nameOf([dear], { requirements: { ...aWish().requirements, cpu: [4, 8] } })).toBeUndefined();
  });

  it("is of two at one price the bigger one, in whatever order they come", () => {
    const bigger = anEntry({ instanceType: "m7i-flex.xlarge", cpu: 4000 });
    expect(nameOf([anEntry(), bigger])).toBe("m7i-flex.xlarge");
    expect(nameOf([bigger, anEntry()])).toBe("m7i-flex.xlarge");
  });

  it("costs as spot what it costs on the average of the pool's zones, and without zones what the dearest does", () => {
    expect(chosenOf([anEntry(), cheap], { market: "spot", zones: [a, b] })).toMatchObject({
      entry: { instanceType: "c7i.large" },
      hourly: 0.047,
    });
    expect(nameOf([anEntry(), cheap], { market: "spot", zones: [a] })).toBe("m7i.large");
    expect(chosenOf([anEntry(), cheap], { market: "spot" })).toMatchObject({ entry: { instanceType: "m7i.large" }, hourly: 0.057 });
  });

  it("is sold in every zone of the pool, and in its market", () => {
    const oneZone = anEntry({ instanceType: "c7i.large", onDemand: 0.01, zones: [a], spot: { [a]: 0.01 } });
    expect(nameOf([anEntry(), oneZone], { zones: [a, b] })).toBe("m7i.large");
    const { onDemand: _, ...spotAlone } = oneZone;
    expect(nameOf([anEntry(), spotAlone])).toBe("m7i.large");
    expect(nameOf([anEntry({ spot: {} })], { market: "spot" })).toBeUndefined();
    expect(nameOf([anEntry({ spot: { [a]: 0.01 } })], { market: "spot", zones: [a, b] })).toBeUndefined();
  });

  it("is as spot not the cheapest where its cloud takes that back so often that it is none, and costs its own price all the same", () => {
    const often = { ...cheap, reclaimed: 0.2 };
    const near = anEntry({ instanceType: "c7a.large", spot: { [a]: 0.068, [b]: 0.068 }, reclaimed: 0 });
    const dearer = { ...near, spot: { [a]: 0.09, [b]: 0.09 } };
    expect(chosenOf([often, near], { market: "spot", zones: [a] })).toMatchObject({ entry: near, hourly: 0.075 });
    expect(nameOf([often, dearer], { market: "spot", zones: [a] })).toBe(cheap.instanceType);
    expect(
      nameOf([
        { ...often, onDemand: 0.1 },
        { ...near, onDemand: 0.101 },
      ]),
    ).toBe(cheap.instanceType);
  });

  it("is at Azure priced as spot by the region, and made in its zones", () => {
    const size = anEntry({ instanceType: "Standard_D2s_v5", zones: ["1", "2"], spot: { "": 0.02 } });
    expect(chosenOf([size], { market: "spot", zones: ["2"] })).toMatchObject({ hourly: 0.027 });
    expect(nameOf([size], { zones: ["3"] })).toBeUndefined();
  });

  it("is one that the guard rails allow", () => {
    expect(nameOf([anEntry(), cheap], { allowed: ["m7i.*"] })).toBe("m7i.large");
    expect(nameOf([anEntry(), cheap], { allowed: ["p5.*"] })).toBeUndefined();
  });

  it("has never anything that speaks against it, and is none dearer than another that fits", () => {
    const entry = fc.record({
      instanceType: fc.stringMatching(/^[a-z]\d\.[a-z]{1,6}$/),
      cpu: fc.integer({ min: 1, max: 64 }).map((cores) => cores * 1000),
      memory: fc.integer({ min: 1, max: 256 }).map((gib) => gib * 1024),
      arch: fc.constantFrom("x64" as const, "arm64" as const),
      onDemand: fc.double({ min: 0.001, max: 10, noNaN: true }),
      zones: fc.subarray([a, b]),
    });
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 20 }), fc.subarray([a, b]), (fields, zones) => {
        const catalog = aCatalog({ entries: fields.map((one) => anEntry(one)) });
        const wish = aWish({ zones });
        const fitting = catalog.entries.filter((one) => againstEntry(one, wish).length === 0);
        const best = cheapestType(catalog, wish);
        expect(best === undefined).toBe(fitting.length === 0);
        if (best === undefined) return;
        expect(fitting).toContain(best.entry);
        for (const { onDemand = 0 } of fitting) expect(best.entry.onDemand).toBeLessThanOrEqual(onDemand + 1e-6);
      }),
    );
  });
});

describe("what speaks against a type", () => {
  it("is its place, its market and the guard rails beside what it has", () => {
    const elsewhere = aWish({ region: "us-east-1", zones: ["us-east-1a"] });
    expect(againstEntry(anEntry(), elsewhere)).toEqual(["it is of eu-central-1, wanted: us-east-1"]);
    expect(againstEntry(anEntry({ zones: [a] }), aWish({ zones: [a, b] }))).toEqual([`it is not sold in ${b}`]);
    expect(againstEntry(anEntry({ spot: { [a]: 1 } }), aWish({ zones: [a, b], market: "spot" }))).toEqual([
      `it has no price as spot in ${b}`,
    ]);
    expect(againstEntry(anEntry({ spot: {} }), aWish({ market: "spot" }))).toEqual(["it has no price as spot"]);
    const { onDemand: _, ...unpriced } = anEntry();
    expect(againstEntry(unpriced, aWish())).toEqual(["its price on demand is not known"]);
    expect(againstEntry(anEntry(), aWish({ allowed: ["c7*", "r7*"] }))).toEqual(["guards allow none but c7*, r7*"]);
  });
});

describe("the nearest type", () => {
  it("is the one that lacks the least, then the one of the nearest size", () => {
    const requirements = { ...aWish().requirements, cpu: [16, 32] as const };
    const big = anEntry({ instanceType: "m7i.2xlarge", cpu: 8000, onDemand: 0.5 });
    const arm = anEntry({ instanceType: "m7g.4xlarge", cpu: 8000, arch: "arm64", onDemand: 0.4 });
    expect(nearestType(aCatalog({ entries: [anEntry(), big, arm] }), aWish({ requirements }))).toEqual({
      instanceType: "m7i.2xlarge",
      against: ["it has 8 cores, wanted: 16–32 cores"],
    });
  });

  it("is none where nothing is sold", () => {
    expect(nearestType(aCatalog({ entries: [] }), aWish())).toBeUndefined();
  });
});

it("tells a wish in words", () => {
  expect(instanceWishText(aWish({ market: "spot", zones: [a, b] }))).toBe(`2–32 cores, x64, spot in ${a}, ${b}`);
  expect(instanceWishText(aWish())).toBe("2–32 cores, x64, on demand");
});
