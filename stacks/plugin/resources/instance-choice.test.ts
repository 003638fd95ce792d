import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { SpillwayError } from "../../../agent/contract/errors.ts";
import type { Catalog } from "../../../providers/provider.ts";
import type { AskCloud } from "../../price-cache.ts";
import { aCatalog, anEntry } from "../../testing/cloud-pools.ts";
import { providerOf, type ResourceContext } from "../rpc.ts";
import { choiceBy } from "./instance-choice.ts";

const cloud = { asked: 0, answer: new Error() as Error | Catalog };
const ask: AskCloud = async () => {
  cloud.asked += 1;
  if (cloud.answer instanceof Error) throw cloud.answer;
  return cloud.answer;
};
const choice = choiceBy(ask);

let prices = "";
let said: string[] = [];
const context: ResourceContext = {
  status: () => undefined,
  log: (text) => said.push(text),
  sentence: () => undefined,
  signal: new AbortController().signal,
};
beforeEach(() => {
  prices = mkdtempSync(join(tmpdir(), "spillway-prices-"));
  vi.stubEnv("SPILLWAY_PRICES", prices);
  said = [];
  cloud.asked = 0;
  cloud.answer = new SpillwayError("AWS does not answer", { code: "cloud-unreachable" });
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(prices, { recursive: true, force: true });
});

const keep = (catalog: Catalog) => writeFileSync(join(prices, "aws-eu-central-1.json"), JSON.stringify(catalog));
const large = anEntry();
const xlarge = anEntry({ instanceType: "m7i.xlarge", cpu: 4000, memory: 16_384, onDemand: 0.24 });

const requirements = { cpu: [2, 32] as [number, number], arch: ["x64" as const], bareMetal: false, burstable: false };
const aSpec = (over: object = {}) =>
  choice.inputs.parse({
    pool: "base",
    cloud: "aws",
    region: "eu-central-1",
    zones: [],
    landing: ["eu-central-1a", "eu-central-1b"],
    market: "on-demand",
    requirements,
    diskGiB: 20,
    address: "public",
    ...over,
  });
const chosen = async (over: object = {}) => (await choice.create(aSpec(over), context)).outputs;

const urn = "urn:pulumi:prod::spillway::spillway:index:Environment$spillway:index:InstanceChoice::type-base";
/** What the engine is told of a pool whose type was chosen for `before`, and that asks for `over` now. */
async function diffOf(over: object, before: object = {}) {
  const told: string[] = [];
  const statusLine = { tell: (_urn: string, text: string) => void told.push(text) };
  const handlers = { "spillway:index:InstanceChoice": choice };
  const provider = providerOf({ version: "0.0.0", handlers, statusLine, changeLog: () => undefined });
  const olds = { ...aSpec(before), ...(await chosen(before)) };
  const diff = await provider.diff?.("base", urn, olds, aSpec(over));
  return { changes: diff?.changes, replaces: diff?.replaces, told };
}

it("chooses the cheapest type that fits from the prices on this computer, however old, and asks nobody", async () => {
  keep(aCatalog({ fetchedAt: 0, entries: [xlarge, large] }));
  expect(await choice.create(aSpec(), context)).toEqual({
    id: "base",
    outputs: { instanceType: "m7i.large", hourly: 0.127, entry: large },
  });
  expect(said).toEqual(["pool base: m7i.large is the cheapest type of aws eu-central-1 that fits, $0.127/hour each"]);
  expect(cloud.asked).toBe(0);
});

it("asks the cloud where this computer knows no prices of it, and keeps its answer", async () => {
  cloud.answer = aCatalog({ entries: [xlarge] });
  expect((await chosen()).instanceType).toBe("m7i.xlarge");
  expect((await chosen()).instanceType).toBe("m7i.xlarge");
  expect(cloud.asked).toBe(1);
});

it("says that nothing is known where there are neither prices nor an answer", async () => {
  await expect(chosen()).rejects.toMatchObject({ code: "prices-unknown", message: expect.stringContaining("AWS does not answer") });
});

it("chooses none that is not sold where its machines may be made", async () => {
  keep(aCatalog({ entries: [{ ...large, zones: ["eu-central-1a"] }, xlarge] }));
  expect((await chosen()).instanceType).toBe("m7i.xlarge");
  expect((await chosen({ zones: ["eu-central-1a"] })).instanceType).toBe("m7i.large");
});

it("says what was asked for, what came nearest and why not, where none fits", async () => {
  keep(aCatalog({ fetchedAt: 0, entries: [large, xlarge] }));
  await expect(chosen({ requirements: { ...requirements, cpu: [8, 16] }, zones: ["eu-central-1a"] })).rejects.toMatchObject({
    code: "no-type-fits",
    where: "pool base",
    message:
      "no type of aws eu-central-1 has what is asked for (8–16 cores, x64, on demand in eu-central-1a); nearest is m7i.xlarge: it has 4 cores, wanted: 8–16 cores",
    hint: expect.stringContaining("pools.base.types"),
  });
});

it("names the guard rails where they leave nothing", async () => {
  keep(aCatalog());
  await expect(chosen({ allowed: ["c7i.*"] })).rejects.toMatchObject({
    message: expect.stringContaining("nearest is m7i.large: guards allow none but c7i.*"),
  });
});

it("keeps its type when another one has become cheaper, also where this computer knows no prices", async () => {
  keep(aCatalog({ entries: [large, xlarge] }));
  const state = { ...aSpec(), ...(await chosen()) };
  keep(aCatalog({ entries: [large, { ...xlarge, onDemand: 0.01 }] }));
  expect(choice.isDue?.(state, aSpec(), () => undefined)).toBe(false);
  expect(await choice.read("base", state, context)).toMatchObject({ instanceType: "m7i.large", hourly: 0.127 });
  rmSync(join(prices, "aws-eu-central-1.json"));
  expect(choice.isDue?.(state, aSpec(), () => undefined)).toBe(false);
});

it.each([
  { requirements: { ...requirements, memory: [4096, 8192] } },
  { requirements: { ...requirements, names: ["m7i.*"] } },
  { zones: ["eu-central-1b"] },
  { landing: ["eu-central-1c"] },
  { market: "spot" },
  { allowed: ["m7*"] },
  { diskGiB: 500, address: "private" },
])("changes nothing for %j, which its type has", async (over) => {
  keep(aCatalog({ entries: [large, xlarge] }));
  expect(await diffOf(over)).toEqual({ changes: false, replaces: [], told: [] });
});

it.each<[object, string]>([
  [{ requirements: { ...requirements, cpu: [4, 8] } }, "it has 2 cores, wanted: 4–8 cores"],
  [{ zones: ["eu-central-1c"] }, "it is not sold in eu-central-1c"],
  [{ region: "us-east-1" }, "it is of eu-central-1, wanted: us-east-1"],
  [{ allowed: ["c7*"] }, "guards allow none but c7*"],
])("chooses anew for %j, which its type has not, and says why", async (over, why) => {
  keep(aCatalog({ entries: [large, xlarge] }));
  expect(await diffOf(over)).toEqual({
    changes: true,
    replaces: [],
    told: [`pool base: another type than m7i.large is needed: ${why}`],
  });
});

it("takes the cheapest of those that fit then", async () => {
  keep(aCatalog({ entries: [large, xlarge] }));
  const old = { ...aSpec(), ...(await chosen()) };
  const now = aSpec({ requirements: { ...requirements, cpu: [4, 8] } });
  expect(await choice.update("base", old, now, context)).toMatchObject({ instanceType: "m7i.xlarge", hourly: 0.247 });
});
