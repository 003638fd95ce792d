/** How often Azure takes back spot machines of each size: the table `spotresources` of Azure Resource Graph (Microsoft's page "Azure Spot Virtual Machines"). */
import type { ResourceGraphClient } from "@azure/arm-resourcegraph";
import { z } from "zod";
import { reclaimBands } from "../spot-reclaims.ts";

const rates = z.array(z.object({ size: z.string(), rate: z.string() }));

/** As Azure writes the bands. */
const written = ["0-5", "5-10", "10-15", "15-20", "20+"];
/** A region's sizes are less than one; more pages than this are a list that never ends. */
const mostPages = 20;

/**
 * By size in lower case, as the table has them. It is asked without a subscription, since what it holds is nobody's. Who asks needs
 * no more than to read anything at Azure. Throws what the SDK throws.
 */
export async function evictionRates(graph: ResourceGraphClient, region: string, abortSignal?: AbortSignal): Promise<Map<string, number>> {
  const query = [
    "spotresources",
    `where type =~ 'microsoft.compute/skuspotevictionrate/location' and location =~ '${region}'`,
    "project size = tostring(sku.name), rate = tostring(properties.evictionRate)",
  ].join(" | ");
  const found = new Map<string, number>();
  let skipToken: string | undefined;
  for (let page = 0; page < mostPages; page++) {
    const options = { resultFormat: "objectArray" as const, ...(skipToken === undefined ? {} : { skipToken }) };
    const answer = await graph.resources({ query, options }, abortSignal === undefined ? {} : { abortSignal });
    for (const { size, rate } of rates.parse(answer.data)) {
      const share = reclaimBands[written.indexOf(rate)];
      if (share !== undefined) found.set(size.toLowerCase(), share);
    }
    skipToken = answer.skipToken;
    if (skipToken === undefined) break;
  }
  return found;
}
