/** How often AWS takes back spot machines of each type: the data of its page "Spot Instance Advisor", public and without a login. */
import { z } from "zod";
import { publicJson } from "../public-json.ts";
import { reclaimBands } from "../spot-reclaims.ts";

/** By region, system and type; `r` is the band. What else stands there is not read. */
const advice = z.object({
  spot_advisor: z.record(z.string(), z.object({ Linux: z.record(z.string(), z.object({ r: z.number() })).default({}) })),
});

const advisorUrl = "https://spot-bid-advisor.s3.amazonaws.com/spot-advisor-data.json";

/**
 * By type, for Linux in that region. `SPILLWAY_AWS_SPOT_ADVISOR` names another list than AWS' own, in the same form; where AWS itself
 * is elsewhere (AWS_ENDPOINT_URL), its own is not asked. Throws a plain Error.
 */
export async function spotReclaims(region: string, signal?: AbortSignal): Promise<Map<string, number>> {
  const { SPILLWAY_AWS_SPOT_ADVISOR: named, AWS_ENDPOINT_URL: elsewhere } = process.env;
  if (!named && elsewhere) throw new Error("AWS_ENDPOINT_URL leads elsewhere, and SPILLWAY_AWS_SPOT_ADVISOR names no list there");
  return reclaimsOf(await publicJson(new URL(named || advisorUrl), signal), region);
}

/** Pure. Throws a ZodError for what is no such list. */
export function reclaimsOf(list: unknown, region: string): Map<string, number> {
  const types = advice.parse(list).spot_advisor[region]?.Linux ?? {};
  const known = Object.entries(types).flatMap(([type, { r }]): [string, number][] => {
    const share = reclaimBands[r];
    return share === undefined ? [] : [[type, share]];
  });
  return new Map(known);
}
