/** Provider side of `InstanceChoice`: the cheapest type that has what a node pool asks for, by the prices kept on this computer. Chosen once, and kept while it does. */
import { z } from "zod";
import { cloudName } from "../../../agent/contract/agent-config.ts";
import { SpillwayError } from "../../../agent/contract/errors.ts";
import { formatUsd } from "../../../agent/contract/quantities.ts";
import type { Catalog } from "../../../providers/provider.ts";
import { againstEntry, cheapestType, type InstanceWish, instanceWishText, nearestType } from "../../cheapest-type.ts";
import { market, typeWish } from "../../cloud-settings.ts";
import { type AskCloud, catalogEntry, currentCatalog } from "../../price-cache.ts";
import type { ResourceContext, ResourceHandler } from "../rpc.ts";

const inputs = z.object({
  pool: z.string(),
  cloud: cloudName,
  region: z.string(),
  zones: z.array(z.string()).describe("as written: each must sell the type, now and later"),
  landing: z.array(z.string()).describe("where none is written: those in which machines may be made when the type is chosen"),
  market,
  requirements: typeWish,
  allowed: z.array(z.string()).optional().describe("types that the guard rails allow, with *"),
  diskGiB: z.number(),
  address: z.enum(["public", "private"]),
});
const outputs = z.object({
  instanceType: z.string(),
  hourly: z.number().describe("USD/hour of one machine, as priced when it was chosen"),
  entry: catalogEntry.describe("what the cloud said of the type then: whether it still does is told by that, on any computer"),
});
type Inputs = z.infer<typeof inputs>;
type Outputs = z.infer<typeof outputs>;

export const instanceChoice = choiceBy();

/** `ask`: a test's cloud. */
export function choiceBy(ask?: AskCloud): ResourceHandler<Inputs, Outputs> {
  return {
    inputs,
    outputs,
    secrets: [],
    // What is asked for matters only where the type does not have it.
    ignored: inputs.keyof().options,
    isDue(state, spec, tell) {
      const against = againstEntry(state.entry, spec);
      if (against.length > 0) tell(`pool ${spec.pool}: another type than ${state.instanceType} is needed: ${against.join("; ")}`);
      return against.length > 0;
    },

    async create(spec, context) {
      return { id: spec.pool, outputs: await chosen(spec, context, ask) };
    },

    async read(_id, state) {
      return outputs.parse(state);
    },

    async update(_id, _old, spec, context) {
      return await chosen(spec, context, ask);
    },

    async delete() {},
  };
}

/** Throws `prices-unknown` where neither this computer nor the cloud tells them, and `no-type-fits`. */
async function chosen(spec: Inputs, { status, log, signal }: ResourceContext, ask: AskCloud | undefined): Promise<Outputs> {
  const { pool, cloud, region, zones, landing } = spec;
  status(`choosing from what ${cloud} sells in ${region}`);
  // However old they are: what `up` told before it asked was reckoned with them.
  const catalog = await currentCatalog(
    { cloud, region },
    { freshForMs: Number.POSITIVE_INFINITY, onDoubt: log, signal, ...(ask === undefined ? {} : { ask }) },
  );
  const wish = { ...spec, zones: zones.length === 0 ? landing : zones };
  const best = cheapestType(catalog, wish);
  if (best === undefined) throw noneFits(spec, wish, catalog);
  const { hourly } = best;
  const entry = catalogEntry.parse(best.entry);
  log(`pool ${pool}: ${entry.instanceType} is the cheapest type of ${cloud} ${region} that fits, ${formatUsd(hourly)}/hour each`);
  return { instanceType: entry.instanceType, hourly, entry };
}

function noneFits({ pool, cloud, region }: Inputs, wish: InstanceWish, catalog: Catalog): SpillwayError {
  const nearest = nearestType(catalog, wish);
  const near =
    nearest === undefined ? "nothing is known to be sold there" : `nearest is ${nearest.instanceType}: ${nearest.against.join("; ")}`;
  return new SpillwayError(`no type of ${cloud} ${region} has what is asked for (${instanceWishText(wish)}); ${near}`, {
    code: "no-type-fits",
    where: `pool ${pool}`,
    hint: `Ask for something else in pools.${pool}.types. What is known is of ${new Date(catalog.fetchedAt).toISOString()}; to ask again: ./spillway prices refresh --cloud ${cloud} --region ${region}`,
  });
}
