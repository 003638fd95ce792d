/** Whether a burster's configuration file says what it is to say: what needs another process, and what the one that runs reads anew. */
import { readFileSync } from "node:fs";
import { isDeepStrictEqual } from "node:util";
import { type BursterConfig, bursterConfig } from "./config.ts";

/**
 * Whether the file is the same whatever tunnels it names. Of the variables of whoever started it the way to the ssh-agent matters
 * where one is used, and those that a cloud's tools read where there is a pool of it: with credentials that have expired a burster
 * can't give back what it bought. False for one that is no configuration.
 */
export function isSameButTunnels(file: string, wanted: BursterConfig): boolean {
  const ofPools = Object.values(wanted.pools).flatMap((pool) => (pool.provider === "ssh" ? pool.hosts : []));
  const usesAgent = [...ofPools, ...wanted.tunnels].some(({ credential }) => credential.kind === "agent");
  return isAlike(file, wanted, ({ variables, ...rest }) => ({
    ...rest,
    tunnels: [],
    agent: usesAgent ? variables.SSH_AUTH_SOCK : undefined,
    ofClouds: variablesOfClouds(wanted, variables),
  }));
}

const cloudVariables = { aws: /^AWS_/, azure: /^(AZURE|ARM)_/ } as const;

/** In an order that is always the same. */
function variablesOfClouds({ pools }: Pick<BursterConfig, "pools">, variables: BursterConfig["variables"]): [string, string][] {
  const used = Object.values(pools).flatMap(({ provider }) =>
    provider === "aws" || provider === "azure" ? [cloudVariables[provider]] : [],
  );
  return Object.entries(variables)
    .filter(([name]) => used.some((pattern) => pattern.test(name)))
    .toSorted(([a], [b]) => (a < b ? -1 : 1));
}

/** Whether the file names the same machines to hold tunnels to. */
export function hasSameTunnels(file: string, wanted: BursterConfig): boolean {
  return isAlike(file, wanted, ({ tunnels }) => tunnels);
}

function isAlike(file: string, wanted: BursterConfig, part: (config: BursterConfig) => unknown): boolean {
  try {
    return isDeepStrictEqual(part(bursterConfig.parse(JSON.parse(readFileSync(file, "utf8")))), part(wanted));
  } catch {
    return false;
  }
}
