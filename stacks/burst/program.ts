/** The Pulumi program of one burst: its machines and the nodes on them, by the same resources as everywhere. */
import * as pulumi from "@pulumi/pulumi";
import type { PulumiFn } from "@pulumi/pulumi/automation/index.js";
import { SpillwayError } from "../../agent/contract/errors.ts";
import type { BurstRow } from "../../agent/contract/ledger.ts";
import { Node } from "../../bootstrap/node.ts";
import { placeOfOffer } from "../../providers/offers.ts";
import type { Clouds } from "../clouds.ts";
import { burstMachine } from "../machine-resource.ts";
import { Preflight } from "../preflight.ts";
import type { BursterConfig } from "./config.ts";

/** Its input is a list of node ids, so a run that is repeated makes the same machines. */
export function burstProgram(config: BursterConfig, row: BurstRow, clouds: Clouds = {}): PulumiFn {
  const pool = config.pools[row.burstPool];
  if (pool === undefined) {
    throw new SpillwayError(`its burst pool ${row.burstPool} is no longer in the settings`, {
      code: "no-such-pool",
      where: `burst/${row.id}`,
    });
  }
  const dials = insideEndpoint(config, row);
  return async () => {
    const { environment, environmentId, endpoint, masterInstance, caCert, adminToken, machines } = config;
    const nodes = row.nodes.map((node) => {
      const made = burstMachine({
        node,
        burst: row.id,
        poolName: row.burstPool,
        pool,
        environment,
        environmentId,
        machines,
        endpoint,
        offer: row.offer,
        hourly: row.hourly / row.nodes.length,
        shape: row.shape,
        clouds,
        selfJoin: { endpoint, caCert, adminToken: pulumi.secret(adminToken), dials, deadManMs: config.expireAfterMs },
      });
      const looked = made.problem === undefined ? made.resource : new Preflight(node, { hosts: [{ name: node, problem: made.problem }] });
      return new Node(
        `node-${node}`,
        {
          environment,
          environmentId,
          endpoint,
          masterInstance,
          caCert,
          adminToken: pulumi.secret(adminToken),
          machine: made.machine,
          ...(config.expireAfterMs === undefined ? {} : { deadManMs: config.expireAfterMs }),
          ...(dials === undefined ? {} : { dials }),
          ...(config.reach === "reverse" && isOfCloud(pool) ? { reach: config.reach } : {}),
        },
        { dependsOn: [looked] },
      );
    });
    return { health: nodes.map(({ health }) => health) };
  };
}

/** The master's URL inside its own network, for machines that are bought there. */
function insideEndpoint({ nearby }: BursterConfig, { burstPool, offer }: BurstRow): string | undefined {
  const regions = nearby?.regions[burstPool];
  return regions?.includes(placeOfOffer(offer).region) === true ? nearby?.endpoint : undefined;
}

/** Hosts and machines on this computer dial the master themselves. */
function isOfCloud({ provider }: BursterConfig["pools"][string]): boolean {
  return provider === "aws" || provider === "azure";
}
