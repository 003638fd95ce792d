import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { pricedPlaces } from "../../stacks/priced-places.ts";
import { parseSettings } from "../../stacks/settings.ts";
import { aCatalog, anEntry, aws, azure, bursting, buying } from "../../stacks/testing/cloud-pools.ts";
import { commandBench } from "../testing/command-bench.ts";
import { refreshAll, refreshText } from "./prices-refresh.ts";

const bench = commandBench();
const hourMs = 3_600_000;
let cache = "";

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "spillway-prices-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true, force: true });
});

function keep(cloud: string, region: string, catalog = aCatalog()): void {
  mkdirSync(join(cache, "prices"), { recursive: true });
  writeFileSync(join(cache, "prices", `${cloud}-${region}.json`), JSON.stringify({ ...catalog, provider: cloud, region }));
}
function prices(...words: string[]) {
  vi.stubEnv("SPILLWAY_CACHE", cache);
  return bench.run("prices", ...words);
}
const big = anEntry({ instanceType: "r7i.xlarge", cpu: 4000, memory: 32_768, onDemand: 0.3, spot: {} });
const gpu = anEntry({ instanceType: "g4dn.xlarge", cpu: 4000, memory: 16_384, onDemand: 0.6, gpus: [{ model: "t4", count: 1 }] });

describe("prices list", () => {
  test("shows each type with its price on demand, the cheapest zone for spot, and how old that is", async () => {
    keep(
      "aws",
      "eu-central-1",
      aCatalog({ fetchedAt: Date.now() - 2 * hourMs, entries: [big, { ...gpu, reclaimed: 0.1 }, { ...anEntry(), reclaimed: 0 }] }),
    );
    const { code, stdout } = await prices("list");
    expect(code).toBe(0);
    expect(stdout).toMatch(/aws +eu-central-1 +m7i\.large +2 +8 GiB +x64 +\$0\.12 +\$0\.04 +eu-central-1b +< 5 %\n/);
    expect(stdout).toMatch(/r7i\.xlarge +4 +32 GiB +x64 +\$0\.30 +– +–\n/);
    expect(stdout).toMatch(/g4dn\.xlarge +4 +16 GiB +1 t4 +x64 +\$0\.60 +\$0\.04 +eu-central-1b +≥ 10 %\n/);
    expect(stdout).toContain("aws eu-central-1: 3 types, 2 h old; disk $0.0001/h per GiB, address $0.005/h; quota not known");
  });

  test("shows one cloud, region or kind of types alone", async () => {
    keep("aws", "eu-central-1", aCatalog({ entries: [big, anEntry()] }));
    keep("azure", "westeurope", aCatalog({ entries: [anEntry({ instanceType: "Standard_D2s_v5", region: "westeurope" })] }));
    const typesOf = async (...words: string[]) =>
      JSON.parse((await prices("list", "-o", "json", ...words)).stdout).entries.map(
        ({ instanceType }: { instanceType: string }) => instanceType,
      );
    expect(await typesOf("--cloud", "azure")).toEqual(["Standard_D2s_v5"]);
    expect(await typesOf("--region", "eu-*")).toEqual(["m7i.large", "r7i.xlarge"]);
    expect(await typesOf("--type", "r7i.*")).toEqual(["r7i.xlarge"]);
    expect((await prices("list", "--type", "x")).stdout).toMatch(/^No type matches\./);
  });

  test("sorts by price, by cores and by memory, the cheaper first among equals", async () => {
    const { onDemand: _, ...unpriced } = anEntry({ instanceType: "a.unpriced", spot: {} });
    keep("aws", "eu-central-1", aCatalog({ entries: [unpriced, gpu, big, anEntry()] }));
    const sorted = async (key: string) =>
      JSON.parse((await prices("list", "-o", "json", "--sort", key)).stdout).entries.map(
        ({ instanceType }: { instanceType: string }) => instanceType,
      );
    expect(await sorted("price")).toEqual(["m7i.large", "r7i.xlarge", "g4dn.xlarge", "a.unpriced"]);
    expect(await sorted("cpu")).toEqual(["m7i.large", "a.unpriced", "r7i.xlarge", "g4dn.xlarge"]);
    expect(await sorted("memory")).toEqual(["m7i.large", "a.unpriced", "g4dn.xlarge", "r7i.xlarge"]);
  });

  test("says what to do where nothing is kept", async () => {
    expect((await prices("list")).stdout).toContain("No prices are kept here. To ask the clouds: spillway prices refresh");
  });

  test("tells a program when each catalog was asked for, and the quota", async () => {
    keep("aws", "eu-central-1", aCatalog({ fetchedAt: 1000, quota: { Standard: { spot: 64 } } }));
    expect(JSON.parse((await prices("list", "-o", "json")).stdout).catalogs).toEqual([
      {
        cloud: "aws",
        region: "eu-central-1",
        fetchedAt: 1000,
        types: 1,
        diskGiB: 0.0001,
        publicAddress: 0.005,
        quota: { Standard: { spot: 64 } },
      },
    ]);
  });
});

describe("prices refresh", () => {
  const frankfurt = { cloud: "aws", region: "eu-central-1" } as const;
  const virginia = { cloud: "aws", region: "us-east-1" } as const;

  test("keeps what was there where a cloud does not answer, and says how old it is", async () => {
    vi.stubEnv("SPILLWAY_CACHE", cache);
    const now = Date.now();
    keep("aws", "us-east-1", aCatalog({ fetchedAt: now - 3 * hourMs }));
    const refreshed = await refreshAll([frankfurt, virginia, { cloud: "azure", region: "westeurope" }], async ({ region }) => {
      if (region !== "eu-central-1") throw new SpillwayError("no credentials were found", { code: "cloud-credentials", hint: "Log in." });
      return aCatalog({ fetchedAt: now, entries: [anEntry(), big] });
    });
    expect(refreshText(refreshed, now).split("\n")).toEqual([
      "✓ aws eu-central-1: 2 types",
      "✗ aws us-east-1: no credentials were found; what is kept is 3 h old",
      "  Log in.",
      "✗ azure westeurope: no credentials were found; nothing is kept",
      "  Log in.",
    ]);
  });

  test("says that a quota is not known, and why", async () => {
    vi.stubEnv("SPILLWAY_CACHE", cache);
    const refreshed = await refreshAll([frankfurt], async () => aCatalog({ quotaUnknown: "AWS: AccessDeniedException: not authorized" }));
    expect(refreshText(refreshed, Date.now()).split("\n")).toEqual([
      "✓ aws eu-central-1: 1 type",
      "  its quota is not known, so nothing is bounded by it: AWS: AccessDeniedException: not authorized",
    ]);
  });

  test("asks for each region of an environment's node pools and bursts once", () => {
    const pools = { base: aws(), more: aws({ region: "us-east-1" }), back: azure() };
    const burst = bursting({ cloud: buying({ regions: ["eu-central-1", "eu-west-1"] }) }, { pools });
    expect(pricedPlaces(parseSettings(burst))).toEqual([
      frankfurt,
      virginia,
      { cloud: "azure", region: "westeurope" },
      { cloud: "aws", region: "eu-west-1" },
    ]);
  });

  test("wants to know which, where nothing says it", async () => {
    expect(await prices("refresh")).toMatchObject({ code: 2, stderr: expect.stringContaining("which prices?") });
    expect(await prices("refresh", "--cloud", "aws")).toMatchObject({ code: 2 });
    expect(await prices("refresh", "--cloud", "aws", "--region", "../x")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('"../x" is no region'),
    });
    expect(await prices("refresh", "--cloud", "gcp")).toMatchObject({ code: 2 });
  });
});
