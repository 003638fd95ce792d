/** The machines of bursts as their providers list them, and the end of one that nobody accounts for. */
import { setTimeout as delay } from "node:timers/promises";
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import { SpillwayError } from "../../agent/contract/errors.ts";
import { type Machine, whereOf } from "../../agent/contract/machine.ts";
import { readMachineIdentity } from "../../bootstrap/actions/identity.ts";
import { removeRole } from "../../bootstrap/actions/remove.ts";
import { identityFor } from "../../bootstrap/machine-facts.ts";
import { presentedHostKeys } from "../../bootstrap/ssh/connection.ts";
import type { ListedMachine, ListedThing, Listing as ProviderListing } from "../../providers/provider.ts";
import { providerOf } from "../../providers/registry.ts";
import { machineOfHost } from "../../providers/ssh/inventory.ts";
import { cloudScopes } from "../cloud-scopes.ts";
import { boughtIn } from "./bought-in.ts";
import type { BursterConfig } from "./config.ts";
import { knownStacks } from "./stack.ts";

/** A cloud may take many minutes to end a machine, or never do it; whoever waits has other machines to see to, and comes again. */
const endPatienceMs = 120_000;

export interface BurstMachine extends ListedMachine {
  readonly burst: string;
}

export interface BurstThing extends ListedThing {
  readonly burst: string;
}

export interface Listing {
  readonly machines: readonly BurstMachine[];
  readonly things: readonly BurstThing[];
  readonly unasked: ProviderListing["unasked"];
}

/** Every machine that bears this environment's tag and a burst's, whoever made it. Throws when a provider can't be asked at all. */
export async function listBurstMachines(config: BursterConfig, signal?: AbortSignal): Promise<Listing> {
  const used = knownStacks(config).flatMap(({ machines }) => machines);
  const providers = new Set([
    "local",
    ...used.map(({ provider }) => provider),
    ...Object.values(config.pools).map(({ provider }) => provider),
    ...boughtIn(config).map(({ cloud }) => cloud),
  ]);
  const scope = {
    directory: config.machines,
    hosts: await hostsToAsk(config),
    identityOf: (machine: Machine) => readMachineIdentity({ machine, ...(signal === undefined ? {} : { signal }) }),
    clouds: cloudScopes([
      ...Object.values(config.pools),
      ...used.map(({ provider, attributes: { region } }) => ({ provider, region })),
      ...boughtIn(config).map(({ cloud: provider, region }) => ({ provider, region })),
    ]),
  };
  const lists = await Promise.all([...providers].map((name) => providerOf(name).list(config.environmentId, scope)));
  return {
    machines: lists.flatMap(({ machines }) => ofBursts(machines)),
    things: lists.flatMap(({ things }) => ofBursts(things)),
    unasked: lists.flatMap(({ unasked }) => unasked),
  };
}

function ofBursts<T extends { readonly burst?: string }>(listed: readonly T[]): (T & { burst: string })[] {
  return listed.flatMap((one) => (one.burst === undefined ? [] : [{ ...one, burst: one.burst }]));
}

/** Deletes what hangs on no machine any more. */
export async function endThing(thing: BurstThing, onSentence: (text: string) => void): Promise<void> {
  const provider = providerOf(thing.provider);
  if (provider.deleteThing === undefined) throw new Error(`bug: ${thing.provider} lists a ${thing.kind} and can't delete it`);
  await withCrashPoint("burst.sweep", () => provider.deleteThing?.(thing));
  onSentence(`deleted the ${thing.kind} ${thing.id} of ${thing.burst}`);
}

/** Ends a machine with everything on it; a host that its owner keeps only loses what is ours. */
export async function endMachine(config: BursterConfig, listed: BurstMachine, onSentence: (text: string) => void): Promise<void> {
  const { machine, burst } = listed;
  const provider = providerOf(machine.provider);
  if (provider.endCommand(machine).length === 0) {
    const { environment, environmentId } = config;
    const identity = identityFor({ name: machine.name, burst }, { environmentId, environment });
    await removeRole({ machine, role: "agent", identity, onSentence });
  }
  const ended = withCrashPoint("burst.sweep", () => provider.delete(machine));
  await inTime(ended, `its provider does not say that machine ${machine.name} (${machine.providerId}) of ${burst} has ended`);
  onSentence(`ended machine ${machine.name} (${machine.providerId}) of ${burst}`);
}

async function inTime(act: Promise<void>, late: string): Promise<void> {
  const patience = new AbortController();
  const outOfTime = delay(endPatienceMs, undefined, { signal: patience.signal }).then(() => {
    throw new SpillwayError(late, { code: "burst-not-gone", hint: "It is asked again." });
  });
  try {
    await Promise.race([act, outOfTime]);
  } finally {
    patience.abort();
    outOfTime.catch(() => undefined);
    act.catch(() => undefined);
  }
}

/**
 * The hosts of all burst pools and those that are in use without standing there any more: with the keys that were pinned
 * when they were taken, else, where that is written, with those that they present.
 */
async function hostsToAsk(config: BursterConfig): Promise<Machine[]> {
  const used = knownStacks(config).flatMap(({ machines }) => machines.filter(({ provider }) => provider === "ssh"));
  const pinned = new Map(used.map((one) => [one.providerId, one.hostKey] as const));
  const hosts = Object.entries(config.pools).flatMap(([name, pool]) =>
    pool.provider === "ssh" ? pool.hosts.map((host) => ({ host, bare: machineOfHost(name, host, {}) })) : [],
  );
  const listed = new Set(hosts.map(({ bare }) => bare.providerId));
  const others = used.filter(({ providerId }) => !listed.has(providerId));
  const asked = await Promise.all(
    hosts.map(async ({ host, bare }) => {
      const hostKey = bare.hostKey ?? pinned.get(bare.providerId) ?? (host.trustOnFirstUse ? await presentedKey(bare) : undefined);
      return hostKey === undefined ? bare : { ...bare, hostKey };
    }),
  );
  return [...asked, ...others];
}

/** Undefined when it does not answer; then it can't be asked either, which is told. */
async function presentedKey(machine: Machine): Promise<string | undefined> {
  return await presentedHostKeys(machine, whereOf(machine)).then(
    ([key]) => key,
    () => undefined,
  );
}

/** One sentence of what could not be asked. */
export function unaskedSentence({ machine, why }: Listing["unasked"][number]): string {
  return `${machine.name} (${machine.providerId}) could not be asked whose it is: ${why}`;
}
