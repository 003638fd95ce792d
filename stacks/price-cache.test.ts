import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { SpillwayError } from "../agent/contract/errors.ts";
import type { Catalog } from "../providers/provider.ts";
import { type AskCloud, cachedCatalog, cachedPlaces, currentCatalog, refreshCatalog } from "./price-cache.ts";
import { aCatalog } from "./testing/cloud-pools.ts";

const cloud = { asked: [] as string[], answer: new Error() as Error | Catalog };
const ask: AskCloud = async ({ region }) => {
  cloud.asked.push(region);
  if (cloud.answer instanceof Error) throw cloud.answer;
  return cloud.answer;
};

const frankfurt = { cloud: "aws", region: "eu-central-1" } as const;
const hourMs = 3_600_000;
let cache = "";
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), "spillway-prices-"));
  vi.stubEnv("SPILLWAY_CACHE", cache);
  cloud.asked = [];
  cloud.answer = new SpillwayError("AWS does not answer", { code: "cloud-unreachable" });
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true, force: true });
});

function keep(text: string): void {
  mkdirSync(join(cache, "prices"), { recursive: true });
  writeFileSync(join(cache, "prices", "aws-eu-central-1.json"), text);
}
const kept = (ageMs: number) => {
  const catalog = aCatalog({ fetchedAt: Date.now() - ageMs, quota: { Standard: { spot: 64 } } });
  keep(JSON.stringify(catalog));
  return catalog;
};
const current = async () => {
  const stale: string[] = [];
  const catalog: Catalog = await currentCatalog(frankfurt, { freshForMs: hourMs, onDoubt: (text) => stale.push(text), ask });
  return { catalog, stale };
};

it("knows nothing where nobody has asked", () => {
  expect(cachedCatalog(frankfurt)).toBeUndefined();
  expect(cachedPlaces()).toEqual([]);
});

it("keeps what the cloud said", async () => {
  const said = aCatalog();
  cloud.answer = said;
  expect(await refreshCatalog(frankfurt, undefined, ask)).toEqual(said);
  expect(cachedCatalog(frankfurt)).toEqual(said);
  expect(cachedPlaces()).toEqual([frankfurt]);
  expect(cloud.asked).toEqual(["eu-central-1"]);
});

it("keeps what was there when the cloud does not answer", async () => {
  const before = kept(0);
  await expect(refreshCatalog(frankfurt, undefined, ask)).rejects.toThrow("AWS does not answer");
  expect(cachedCatalog(frankfurt)).toEqual(before);
});

it.each(["", "null", "{}", '{"provider":"aws"', '{"provider":"aws","entries":[{}]}'])("takes %j for nothing", (text) => {
  keep(text);
  expect(cachedCatalog(frankfurt)).toBeUndefined();
});

it("asks nobody while what is kept is fresh", async () => {
  const before = kept(hourMs / 2);
  expect(await current()).toEqual({ catalog: before, stale: [] });
  expect(cloud.asked).toEqual([]);
});

it.each([2 * hourMs, -2 * hourMs])("asks the cloud when what is kept is %d ms old", async (ageMs) => {
  kept(ageMs);
  cloud.answer = aCatalog({ diskGiB: 0.5 });
  expect((await current()).catalog).toEqual(cloud.answer);
});

it("goes on with what is old when the cloud does not answer, and says so", async () => {
  const before = kept(2 * hourMs);
  const { catalog, stale } = await current();
  expect(catalog).toEqual(before);
  expect(stale).toEqual([`prices of aws eu-central-1 are of ${new Date(before.fetchedAt).toISOString()}: AWS does not answer`]);
});

it("says that prices are not known where there is neither", async () => {
  await expect(current()).rejects.toMatchObject({
    code: "prices-unknown",
    message: "what aws sells in eu-central-1 is not known: AWS does not answer",
  });
});

it("says what the cloud did not tell when it was asked, not each time that its answer serves", async () => {
  cloud.answer = aCatalog({ quotaUnknown: "AWS: AccessDeniedException: not authorized", reclaimsUnknown: "HTTP 403" });
  expect((await current()).stale).toEqual([
    "aws eu-central-1: its quota is not known, so nothing is bounded by it: AWS: AccessDeniedException: not authorized",
    "aws eu-central-1: how often it takes spot machines back is not known, so they are chosen by price alone: HTTP 403",
  ]);
  expect((await current()).stale).toEqual([]);
});
