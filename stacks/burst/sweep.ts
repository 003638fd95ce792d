/**
 * The search for what nobody accounts for: every minute the providers are asked by tag, and their answer is compared with
 * the ledger and the stacks. What stays unknown for a while is ended, within the brakes of `compare`.
 */
import type { Client } from "../../agent/contract/client.ts";
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import { describeError, ifFound, SpillwayError } from "../../agent/contract/errors.ts";
import type { BurstRow } from "../../agent/contract/ledger.ts";
import { providerOf } from "../../providers/registry.ts";
import { compare, type Finding } from "./compare.ts";
import type { BursterConfig } from "./config.ts";
import { isNewLedger } from "./known-ledger.ts";
import { report } from "./launch.ts";
import { endMachine, endThing, type Listing, listBurstMachines, unaskedSentence } from "./machines.ts";
import { destroyStack, retireBurst } from "./retire.ts";
import { engineAtWork, knownStacks } from "./stack.ts";

/** The ledger as the master tells it. */
export interface LedgerNow {
  readonly id: string;
  /** All that are not gone. */
  readonly rows: readonly BurstRow[];
}

export interface Look {
  readonly findings: readonly Finding[];
  readonly listing: Listing;
  /** Undefined when it can't be read. */
  readonly ledger: LedgerNow | undefined;
  /** Whether nothing at all is unknown, being changed or out of reach: from then on the ledger is the whole truth. */
  readonly isSettled: boolean;
}

export interface LookAt {
  /** Asked after the providers: what is bought meanwhile must not look unknown. */
  readonly readLedger: () => Promise<LedgerNow | undefined>;
  /** Bursts that whoever asks is working on, when the comparison is made. */
  readonly busy?: () => ReadonlySet<string>;
  readonly signal?: AbortSignal;
}

/** What is there against what should be. Throws when a provider can't be asked. */
export async function lookAround(config: BursterConfig, { readLedger, busy = () => new Set(), signal }: LookAt): Promise<Look> {
  const listing = await listBurstMachines(config, signal);
  const stacks = knownStacks(config);
  const ledger = await readLedger();
  const bursts = new Set([...(ledger?.rows ?? []).map(({ id }) => id), ...stacks.map(({ burst }) => burst)]);
  const working = new Set([...busy(), ...[...bursts].filter((burst) => engineAtWork(config, burst) !== undefined)]);
  const findings = compare({
    rows: ledger?.rows,
    ledgerIsNew: ledger !== undefined && isNewLedger(config, ledger.id),
    stacks: stacks.map(({ burst, machines, ids }) => ({ burst, providerIds: [...machines.map(({ providerId }) => providerId), ...ids] })),
    machines: listing.machines.map(({ machine, burst, status }) => ({
      providerId: machine.providerId,
      node: machine.name,
      burst,
      status,
      isKept: providerOf(machine.provider).endCommand(machine).length === 0,
    })),
    things: listing.things,
    busy: working,
    unaskedOffers: new Set(listing.unasked.map(({ machine: { pool, name } }) => `${pool}/${name}`)),
  });
  const isSettled =
    working.size === 0 &&
    listing.unasked.length === 0 &&
    findings.every(({ kind }) => kind !== "unknown-machine" && kind !== "unknown-thing" && kind !== "unknown-stack");
  return { findings, listing, ledger, isSettled };
}

export interface Mending {
  readonly config: BursterConfig;
  /** Undefined where no master is to be asked. */
  readonly client: Client | undefined;
  readonly log: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Mends one finding. Returns the sentence of what was done; throws when it could not be, or is no longer true. */
export async function mend(finding: Finding, { listing, ledger }: Look, mending: Mending): Promise<string> {
  const { config, client, log, signal } = mending;
  const { burst } = finding;
  switch (finding.kind) {
    case "unknown-machine":
    case "second-machine": {
      if (finding.kind === "unknown-machine") await refuseWanted(client, burst);
      const found = listing.machines.filter(({ machine }) => finding.providerIds.includes(machine.providerId));
      for (const one of found) {
        await endMachine(config, one, log);
        // The node of a second machine is that of the first.
        if (client === undefined || finding.kind === "second-machine") continue;
        await withCrashPoint("node.forget", () => client.removeNode(one.machine.name));
      }
      return `ended ${found.map(({ machine }) => machine.name).join(", ")} of ${burst}`;
    }
    case "unknown-thing": {
      await refuseWanted(client, burst);
      const found = listing.things.filter(({ id }) => finding.providerIds.includes(id));
      for (const one of found) await endThing(one, log);
      return `deleted what was left of ${burst}`;
    }
    case "unknown-stack":
      await refuseWanted(client, burst);
      await destroyStack(burst, { config, log, signal });
      return `destroyed the stack burst-${burst}`;
    case "lost-machine":
      if (client === undefined) throw unanswered(burst);
      await report({ client, config }, burst, { type: "retire", reason: finding.found });
      return `${burst} is being retired`;
    case "leaked":
      break;
  }
  const row = ledger?.rows.find(({ id }) => id === burst);
  if (row === undefined || client === undefined) throw unanswered(burst);
  await retireBurst(row, { config, client, log, signal }, 0);
  return `${burst} is gone after all`;
}

/** Asked once more just before something is ended: the answer that it was compared with may be old by now. */
async function refuseWanted(client: Client | undefined, burst: string): Promise<void> {
  if (client === undefined) return;
  const state = (await ifFound(client.burst(burst)))?.state ?? "gone";
  if (state === "gone" || state === "intent") return;
  throw new SpillwayError(`the ledger knows it by now: it is ${state}`, { code: "burst-wanted", where: `burst/${burst}` });
}

function unanswered(burst: string): SpillwayError {
  return new SpillwayError("that takes the master, which does not answer", {
    code: "master-unreachable",
    where: `burst/${burst}`,
    hint: "Mend the master first: ./spillway up",
  });
}

export interface SweeperState {
  /** When each finding, by its key, was seen first. */
  readonly since: Map<string, number>;
  /** Those that were told. */
  readonly told: Set<string>;
}

/** One sweep by the burster: tells what is new, mends what stayed for long enough. Undefined when it could not look. */
export async function sweep(
  state: SweeperState,
  at: LookAt & {
    readonly config: BursterConfig;
    readonly client: Client;
    readonly log: (text: string) => void;
    readonly signal: AbortSignal;
  },
): Promise<Look | undefined> {
  const { config, client, log, signal } = at;
  const tell = async (kind: string, burst: string, message: string, data: Record<string, unknown> = {}) => {
    log(message);
    await client.tellBurst({ holder: config.holder, burst, kind, message, data });
  };
  let look: Look;
  try {
    look = await lookAround(config, at);
  } catch (error) {
    log(`the providers could not be asked what there is: ${describeError(error)}`);
    return undefined;
  }
  for (const one of look.listing.unasked) log(unaskedSentence(one));
  const keys = new Set(look.findings.map(({ key }) => key));
  for (const key of state.since.keys()) if (!keys.has(key)) forget(state, key);
  for (const finding of look.findings) {
    if (signal.aborted) break;
    const since = state.since.get(finding.key) ?? Date.now();
    state.since.set(finding.key, since);
    try {
      if (!state.told.has(finding.key)) {
        const next = finding.onlyTold ? "it is left alone: see `./spillway fsck`, then `./spillway fsck --fix`" : "";
        await tell("burst-unknown", finding.burst, [finding.found, next].filter((part) => part !== "").join("; "), { ...finding });
        state.told.add(finding.key);
      }
      if (finding.onlyTold || finding.kind === "leaked" || Date.now() - since < config.sweep.unknownAfterMs) continue;
      const done = await mend(finding, look, { config, client, log, signal });
      await tell("burst-swept", finding.burst, `${finding.found}; ${done}`, { ...finding });
      forget(state, finding.key);
    } catch (error) {
      log(`${finding.found}; it could not be mended: ${describeError(error)}`);
    }
  }
  return look;
}

function forget({ since, told }: SweeperState, key: string): void {
  since.delete(key);
  told.delete(key);
}
