import { describe, expect, it } from "vitest";
import type { CatalogEntry } from "./provider.ts";
import { againstType, isWanted, sizeDistance, type TypeWish, typeWishText } from "./type-wish.ts";

const anEntry = (fields: Partial<CatalogEntry> = {}): CatalogEntry => ({
  instanceType: "m7i.large",
  region: "eu-central-1",
  zones: ["eu-central-1a"],
  arch: "x64",
  cpu: 2000,
  memory: 8192,
  gpus: [],
  isBareMetal: false,
  isBurstable: false,
  onDemand: 0.12,
  spot: {},
  ...fields,
});
const aWish = (fields: Partial<TypeWish> = {}): TypeWish => ({
  cpu: [2, 32],
  arch: ["x64"],
  bareMetal: false,
  burstable: false,
  ...fields,
});

describe("what speaks against a type", () => {
  it("is nothing where it has all that is wanted, both bounds included", () => {
    const wish = aWish({ cpu: [2, 2], memory: [8192, 8192], names: ["c7*", "m7i.*"] });
    expect(againstType(anEntry(), wish)).toEqual([]);
    expect(isWanted(anEntry(), wish)).toBe(true);
  });

  it.each<[string, Partial<CatalogEntry>, Partial<TypeWish>]>([
    ["it has 1 core, wanted: 2–32 cores", { cpu: 1000 }, {}],
    ["it has 8 GiB, wanted: 16 GiB–32 GiB", {}, { memory: [16_384, 32_768] }],
    ["it has no GPU, wanted: 1–2 × t4", {}, { gpu: { model: "t4", count: [1, 2] } }],
    ["it has GPUs (1 × t4), wanted: no GPU", { gpus: [{ model: "t4", count: 1 }] }, {}],
    ["it has GPUs (4 × t4), wanted: 8 × any GPU", { gpus: [{ model: "t4", count: 4 }] }, { gpu: { count: [8, 8] } }],
    ["it is of arm64, wanted: x64", { arch: "arm64" }, {}],
    ["it is a whole host, and bareMetal is not wanted", { isBareMetal: true }, {}],
    ["its CPU is only lent, and burstable is not wanted", { isBurstable: true }, {}],
    ["its name is none of c7*, r7*", {}, { names: ["c7*", "r7*"] }],
  ])("is told with what was wanted: %s", (sentence, fields, wish) => {
    expect(againstType(anEntry(fields), aWish(wish))).toEqual([sentence]);
    expect(isWanted(anEntry(fields), aWish(wish))).toBe(false);
  });

  it("is told all at once", () => {
    expect(againstType(anEntry({ cpu: 1000, arch: "arm64" }), aWish())).toHaveLength(2);
  });
});

it("is as far away as its cores and its memory have to be doubled or halved", () => {
  expect(sizeDistance(anEntry(), aWish({ memory: [4096, 8192] }))).toBe(0);
  expect(sizeDistance(anEntry(), aWish({ cpu: [8, 16], memory: [1024, 4096] }))).toBe(3);
});

it("is told in words", () => {
  const wish = aWish({ memory: [4096, 16_384], gpu: { model: "a100*", count: [1, 8] }, names: ["p4*"] });
  expect(typeWishText(wish)).toBe("2–32 cores, 4 GiB–16 GiB, x64, 1–8 × a100*, of p4*");
  expect(typeWishText(aWish({ cpu: [1, 1] }))).toBe("1 core, x64");
});
