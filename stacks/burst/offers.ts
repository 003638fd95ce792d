/** What the burst pools of the settings offer; pure. */
import type { Offer } from "../../agent/contract/plan.ts";
import type { BurstPool } from "../burst-settings.ts";

/** How long the parts of a launch take here, in seconds, until one has been measured. */
const expectedSeconds = {
  local: { create: 0.5, boot: 0.1, ssh: 0.5, agent: 0.5, join: 2 },
  ssh: { create: 1, boot: 0.1, ssh: 1, agent: 6, join: 2 },
} as const;

/** How long it takes at most until the provider says that a machine is gone. */
const teardownMs = { local: 30_000, ssh: 120_000 } as const;

/** One offer of a pool of machines on this computer; one for each host of a pool of hosts, since each is there once. */
export function offersOf(pools: Readonly<Record<string, BurstPool>>): Offer[] {
  return Object.entries(pools).flatMap(([burstPool, pool]): Offer[] => {
    const { provider, launchTimeoutMs } = pool;
    const shape = { cpu: pool.cpu, memory: pool.memory, disk: pool.disk, gpus: [] };
    const common = {
      burstPool,
      provider,
      market: "on-demand" as const,
      shape,
      launchTimeoutMs,
      teardownMs: teardownMs[provider],
      expectedSeconds: expectedSeconds[provider],
    };
    if (pool.provider === "local") {
      const price = { machine: pool.price.hourly, disk: 0, address: 0 };
      return [{ ...common, id: `${burstPool}/local`, price, pretend: true, maxNodes: pool.maxNodes }];
    }
    return pool.hosts.map((host) => ({
      ...common,
      id: `${burstPool}/${host.name}`,
      price: { machine: host.price?.hourly ?? 0, disk: 0, address: 0 },
      pretend: false,
      maxNodes: 1,
      ...(host.site === undefined ? {} : { zone: host.site }),
    }));
  });
}

/** The name of the host that an offer of a pool of hosts is. */
export function hostOfOffer(offer: string): string {
  return offer.slice(offer.indexOf("/") + 1);
}
