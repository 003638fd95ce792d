/** What the clouds sell, as they said it last: kept on this computer so that it can be used without a network, with its age. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { cacheDirectory } from "../agent/bundle/build.ts";
import { SpillwayError } from "../agent/contract/errors.ts";
import type { Catalog, CatalogEntry } from "../providers/provider.ts";
import type { CloudName } from "./clouds.ts";
import { replaceFile } from "./replace-file.ts";

/** A place whose prices are kept. */
export interface PricePlace {
  readonly cloud: CloudName;
  readonly region: string;
}

const usd = z.number().nonnegative();
/** One type, as it is kept. */
export const catalogEntry = z.object({
  instanceType: z.string(),
  region: z.string(),
  zones: z.array(z.string()),
  arch: z.enum(["x64", "arm64"]),
  cpu: z.number(),
  memory: z.number(),
  gpus: z.array(z.object({ model: z.string(), count: z.number() })),
  isBareMetal: z.boolean(),
  isBurstable: z.boolean(),
  quotaFamily: z.string().exactOptional(),
  onDemand: usd.exactOptional(),
  spot: z.record(z.string(), usd),
  reclaimed: z.number().min(0).max(1).exactOptional(),
}) satisfies z.ZodType<CatalogEntry>;
const catalogFile = z.object({
  provider: z.string(),
  region: z.string(),
  fetchedAt: z.number(),
  diskGiB: usd,
  publicAddress: usd,
  entries: z.array(catalogEntry),
  quota: z.record(z.string(), z.object({ "on-demand": z.number().exactOptional(), spot: z.number().exactOptional() })).exactOptional(),
  quotaUnknown: z.string().exactOptional(),
  reclaimsUnknown: z.string().exactOptional(),
}) satisfies z.ZodType<Catalog>;

/** Undefined when it was never asked, or what is kept can't be read. */
export function cachedCatalog({ cloud, region }: PricePlace): Catalog | undefined {
  try {
    return catalogFile.parse(JSON.parse(readFileSync(fileOf({ cloud, region }), "utf8")));
  } catch {
    return undefined;
  }
}

/** Asks a cloud what it sells there. */
export type AskCloud = (place: PricePlace, signal: AbortSignal | undefined) => Promise<Catalog>;

/** Asks the cloud and keeps its answer. Throws what the cloud's provider says; what was kept before stays. */
export async function refreshCatalog({ cloud, region }: PricePlace, signal?: AbortSignal, ask: AskCloud = fetchCatalog): Promise<Catalog> {
  const catalog = await ask({ cloud, region }, signal);
  replaceFile(fileOf({ cloud, region }), JSON.stringify(catalog), { file: 0o644, directory: 0o755 });
  return catalog;
}

export interface CurrentOptions {
  readonly freshForMs: number;
  /** Told a sentence when what is old has to serve, or the cloud was asked and did not tell all. */
  readonly onDoubt: (text: string) => void;
  readonly signal?: AbortSignal;
  readonly ask?: AskCloud;
}

/**
 * What is kept, unless that is older than `freshForMs`: then the cloud is asked, and what is kept serves when it does not
 * answer. Throws `prices-unknown` when there is neither.
 */
export async function currentCatalog(place: PricePlace, { freshForMs, onDoubt, signal, ask }: CurrentOptions): Promise<Catalog> {
  const kept = cachedCatalog(place);
  // What seems to come from the future was asked by a clock that is not to be trusted.
  const age = kept === undefined ? Number.POSITIVE_INFINITY : Date.now() - kept.fetchedAt;
  if (kept !== undefined && age >= 0 && age < freshForMs) return kept;
  try {
    const catalog = await refreshCatalog(place, signal, ask);
    for (const doubt of doubtsOf(catalog)) onDoubt(`${place.cloud} ${place.region}: ${doubt}`);
    return catalog;
  } catch (cause) {
    const why = cause instanceof SpillwayError ? cause.message : String(cause);
    if (kept === undefined) {
      throw new SpillwayError(`what ${place.cloud} sells in ${place.region} is not known: ${why}`, {
        code: "prices-unknown",
        where: `${place.cloud} ${place.region}`,
        hint: "Look at the credentials and the network, then: ./spillway prices refresh",
        cause,
      });
    }
    onDoubt(`prices of ${place.cloud} ${place.region} are of ${new Date(kept.fetchedAt).toISOString()}: ${why}`);
    return kept;
  }
}

/** What a cloud that was asked did not tell, a sentence each. */
export function doubtsOf({ quotaUnknown, reclaimsUnknown }: Pick<Catalog, "quotaUnknown" | "reclaimsUnknown">): string[] {
  return [
    ...(quotaUnknown === undefined ? [] : [`its quota is not known, so nothing is bounded by it: ${quotaUnknown}`]),
    ...(reclaimsUnknown === undefined
      ? []
      : [`how often it takes spot machines back is not known, so they are chosen by price alone: ${reclaimsUnknown}`]),
  ];
}

/** All that is kept. */
export function cachedPlaces(): PricePlace[] {
  const directory = pricesDirectory();
  if (!existsSync(directory)) return [];
  return readdirSync(directory).flatMap((file) => {
    const [, cloud, region] = /^(aws|azure)-(.+)\.json$/.exec(file) ?? [];
    return region === undefined ? [] : [{ cloud: cloud as CloudName, region }];
  });
}

async function fetchCatalog({ cloud, region }: PricePlace, signal: AbortSignal | undefined): Promise<Catalog> {
  if (cloud === "aws") return await (await import("../providers/aws/catalog.ts")).fetchAwsCatalog(region, signal);
  return await (await import("../providers/azure/catalog.ts")).fetchAzureCatalog(region, signal);
}

function fileOf({ cloud, region }: PricePlace): string {
  return join(pricesDirectory(), `${cloud}-${region}.json`);
}

/** SPILLWAY_PRICES names another place, so that what a pretended cloud sells is not taken for a real one's. */
function pricesDirectory(): string {
  return process.env.SPILLWAY_PRICES || join(cacheDirectory(), "prices");
}
