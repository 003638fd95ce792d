/** What must hold where the master is on a machine of a cloud; pure. */
import { isSameNetwork, type NetworkPlace, placesOfBurst } from "./same-network.ts";
import { type Path, pathText } from "./settings-error.ts";
import type { CheckedSettings, CloudPool, Refuse } from "./settings-rules.ts";

type NodePool = Extract<CloudPool, { region: string }>;

/** `clouds`: every pool whose machines a cloud makes, and where it stands. People and agents dial the master, and it must stay. */
export function refuseCloudMaster(
  { masters, pools }: CheckedSettings,
  clouds: readonly (readonly [Path, CloudPool])[],
  refuse: Refuse,
): void {
  const carrier = pools[masters.pool];
  if (carrier?.provider !== "aws" && carrier?.provider !== "azure") return;
  const at = ["pools", masters.pool];
  const { network, masterFrom, market, address, jump } = carrier;
  if (network === undefined && masterFrom.length === 0)
    refuse(
      [...at, "masterFrom"],
      "is missing: the blocks of addresses from which you, and agents of other networks, dial the master, e.g. [203.0.113.7/32]",
    );
  if (market === "spot") refuse([...at, "market"], "must be on-demand for the master: a spot machine may be taken away with all it knows");
  if (masters.endpoint !== undefined) return;
  if (address === "private" && jump !== undefined)
    refuse(
      ["masters", "endpoint"],
      `is missing: the machines of pool "${masters.pool}" have private addresses behind a jump host, and people dial the master without one`,
    );
  const strangers = clouds.filter(([, pool]) => isElsewhere(pool, placeOf(carrier))).map(([path]) => pathText(path));
  if (network === undefined && masterFrom.length > 0 && masterFrom.every(isOneAddress) && strangers.length > 0)
    refuse(
      [...at, "masterFrom"],
      `lets in single addresses alone, but the machines of ${strangers.join(", ")} are in another network and dial the master from addresses that their cloud chooses: write blocks that hold them, put them into ${carrier.region} of the same cloud, or write masters.endpoint, a URL that they can dial`,
    );
}

/** Whether some of its machines dial from public addresses of their own. Private ones come from their network's way out, which its owner knows. */
function isElsewhere(pool: CloudPool, master: NetworkPlace): boolean {
  if (pool.address === "private") return false;
  const places = "regions" in pool ? placesOfBurst(pool) : [placeOf(pool)];
  return places.some((place) => !isSameNetwork(place, master));
}

function placeOf({ provider: cloud, region, network }: NodePool): NetworkPlace {
  return { cloud, region, own: network };
}

function isOneAddress(block: string): boolean {
  return block.endsWith(block.includes(":") ? "/128" : "/32");
}
