/** `spillway prices refresh`: asks the clouds what they sell; where one does not answer, what it said before stays. */
import { type Command, Option } from "commander";
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { CloudName } from "../../stacks/clouds.ts";
import { type AskCloud, cachedCatalog, cachedPlaces, doubtsOf, type PricePlace, refreshCatalog } from "../../stacks/price-cache.ts";
import { pricedPlaces } from "../../stacks/priced-places.ts";
import { readSettings } from "../../stacks/settings-file.ts";
import { outputOption, usageError, wantsJson, withExamples } from "../command-options.ts";
import { exitCodes } from "../dispatch.ts";
import { clearStatus, countOf, paint, plain, print, printJson, shortSpan, status } from "../output.ts";

interface RefreshOptions {
  readonly cloud?: CloudName;
  readonly region?: string;
}

export function registerPricesRefresh(prices: Command): void {
  const refresh = prices
    .command("refresh")
    .description("Ask the clouds what they sell and what it costs. Where one does not answer, what is kept stays.")
    .argument("[environment]", "the regions of its node pools and bursts (without it: all that are kept here)")
    .addOption(cloudOption())
    .option("--region <region>", "one region alone, as the cloud names it")
    .addOption(outputOption())
    .action(async (environment: string | undefined, options: RefreshOptions) => {
      const places = placesToAsk(environment, options);
      status(`  asking ${places.map(placeText).join(", ")}`);
      const refreshed = await refreshAll(places);
      clearStatus();
      if (refreshed.some(({ problem }) => problem !== undefined)) process.exitCode ??= exitCodes.failure;
      if (wantsJson(refresh)) printJson({ catalogs: refreshed });
      else print(refreshText(refreshed, Date.now()));
    });
  withExamples(refresh, ["spillway prices refresh prod", "spillway prices refresh --cloud aws --region eu-central-1"]);
}

export function cloudOption(): Option {
  return new Option("--cloud <cloud>", "one cloud alone").choices(["aws", "azure"]);
}

/** Throws `usage` where that is no place at all, and `settings` with `no-such-environment` for an environment that can't be read. */
export function placesToAsk(environment: string | undefined, { cloud, region }: RefreshOptions): PricePlace[] {
  const known = environment === undefined ? cachedPlaces() : pricedPlaces(readSettings(environment));
  const chosen = known.filter((one) => (cloud === undefined || one.cloud === cloud) && (region === undefined || one.region === region));
  if (chosen.length > 0) return chosen;
  if (environment !== undefined)
    throw usageError(`${environment} has no machines ${cloud === undefined && region === undefined ? "in clouds" : "there"}`);
  if (cloud === undefined || region === undefined)
    throw usageError(
      "which prices?",
      "Name an environment, or --cloud and --region: spillway prices refresh --cloud aws --region eu-central-1",
    );
  if (!/^[a-z][a-z0-9-]{2,40}$/.test(region))
    throw usageError(`--region: "${plain(region)}" is no region, e.g. eu-central-1 or westeurope`);
  return [{ cloud, region }];
}

/** What came of asking one cloud about one region. */
export interface Refreshed extends PricePlace {
  /** ms since the epoch; of what is kept now. Undefined where nothing is. */
  readonly fetchedAt?: number;
  readonly types?: number;
  /** What it did not tell, a sentence each. */
  readonly doubts?: readonly string[];
  /** Why the cloud did not answer. */
  readonly problem?: string;
  readonly hint?: string;
}

/** Asks all of them at a time. Never rejects. */
export async function refreshAll(places: readonly PricePlace[], ask?: AskCloud): Promise<Refreshed[]> {
  return await Promise.all(
    places.map(async (place): Promise<Refreshed> => {
      try {
        const catalog = await refreshCatalog(place, undefined, ask);
        return { ...place, fetchedAt: catalog.fetchedAt, types: catalog.entries.length, doubts: doubtsOf(catalog) };
      } catch (error) {
        const kept = cachedCatalog(place);
        return {
          ...place,
          ...(kept === undefined ? {} : { fetchedAt: kept.fetchedAt, types: kept.entries.length }),
          problem: error instanceof Error ? error.message : String(error),
          ...(error instanceof SpillwayError && error.hint !== undefined ? { hint: error.hint } : {}),
        };
      }
    }),
  );
}

export function refreshText(refreshed: readonly Refreshed[], now: number): string {
  return refreshed
    .flatMap((one) => {
      const { fetchedAt, types = 0, doubts = [], problem, hint } = one;
      if (problem === undefined)
        return [`${paint("green", "✓")} ${placeText(one)}: ${countOf(types, "type")}`, ...doubts.map((doubt) => `  ${plain(doubt)}`)];
      const rest = fetchedAt === undefined ? "nothing is kept" : `what is kept is ${shortSpan(now - fetchedAt)} old`;
      return [`${paint("red", "✗")} ${placeText(one)}: ${plain(problem)}; ${rest}`, ...(hint === undefined ? [] : [`  ${plain(hint)}`])];
    })
    .join("\n");
}

function placeText({ cloud, region }: PricePlace): string {
  return `${cloud} ${region}`;
}
