/**
 * The search for what nobody accounts for: every minute the providers are asked by tag, and their answer is compared with
 * the ledger and the stacks. What stays unknown for a while is ended, within the brakes of `compare`.
 */
import type { Client } from "../../agent/contract/client.ts";
import { withCrashPoint } from "../../agent/contract/crash-point.ts";
import { describeError } from "../../agent/contract/errors.ts";
import type { BurstRow } from "../../agent/contract/ledger.ts";
import { compare, type Finding } from "./compare.ts";
import type { BursterConfig } from "./config.ts";
import { report } from "./launch.ts";
import { endMachine, type Listing, listBurstMachines, unaskedSentence } from "./machines.ts";
import { destroyStack, retireBurst } from "./retire.ts";
import { isBusy, knownStacks } from "./stack.ts";

export interface Look {
  readonly findings: readonly Finding[];
  readonly listing: Listing;
}

export interface LookAt {
  readonly rows: readonly BurstRow[] | undefined;
  readonly ledgerIsNew: boolean;
  /** Bursts that whoever asks is working on. */
  readonly busy?: ReadonlySet<string>;
  readonly signal?: AbortSignal;
}

/** What is there against what should be. Throws when a provider can't be asked. */
export async function lookAround(config: BursterConfig, { rows, ledgerIsNew, busy = new Set(), signal }: LookAt): Promise<Look> {
  const listing = await listBurstMachines(config, signal);
  const stacks = knownStacks(config);
  const bursts = new Set([...(rows ?? []).map(({ id }) => id), ...stacks.map(({ burst }) => burst)]);
  const working = new Set([...busy, ...[...bursts].filter((burst) => isBusy(config, burst))]);
  const findings = compare({
    rows,
    ledgerIsNew,
    stacks: stacks.map(({ burst, machines }) => ({ burst, providerIds: machines.map(({ providerId }) => providerId) })),
    machines: listing.machines.map(({ machine, burst, status }) => ({ providerId: machine.providerId, node: machine.name, burst, status })),
    busy: working,
    unaskedPools: new Set(listing.unasked.map(({ machine }) => machine.pool)),
  });
  return { findings, listing };
}

export interface Mending {
  readonly config: BursterConfig;
  /** Undefined where no master answers. */
  readonly client: Client | undefined;
  /** Of the finding's burst, where the ledger has it. */
  readonly row: BurstRow | undefined;
  readonly log: (text: string) => void;
  readonly signal: AbortSignal;
}

/** Mends one finding. Returns the sentence of what was done; throws when it could not be. */
export async function mend(finding: Finding, listing: Listing, { config, client, row, log, signal }: Mending): Promise<string> {
  switch (finding.kind) {
    case "unknown-machine":
    case "second-machine": {
      const found = listing.machines.filter(({ machine }) => finding.providerIds.includes(machine.providerId));
      for (const one of found) {
        await endMachine(config, one, log);
        if (client !== undefined) await withCrashPoint("node.forget", () => client.removeNode(one.machine.name));
      }
      return `ended ${found.map(({ machine }) => machine.name).join(", ")} of ${finding.burst}`;
    }
    case "unknown-stack":
      await destroyStack(finding.burst, { config, log, signal });
      return `destroyed the stack burst-${finding.burst}`;
    case "lost-machine":
      if (client === undefined) throw new Error("the master does not answer");
      await report({ client, config }, finding.burst, { type: "retire", reason: finding.found });
      return `${finding.burst} is being retired`;
    case "leaked":
      break;
  }
  if (row === undefined || client === undefined) throw new Error("the master does not answer");
  await retireBurst(row, { config, client, log, signal });
  const after = await client.burst(finding.burst);
  if (after.state !== "gone") throw new Error(after.why);
  return `${finding.burst} is gone after all`;
}

export interface SweeperState {
  /** When each finding, by its key, was seen first. */
  readonly since: Map<string, number>;
  /** Those that were told. */
  readonly told: Set<string>;
}

/** One sweep by the burster: tells what is new, mends what stayed for long enough. Never throws. */
export async function sweep(
  state: SweeperState,
  at: LookAt & {
    readonly config: BursterConfig;
    readonly client: Client;
    readonly log: (text: string) => void;
    readonly signal: AbortSignal;
  },
): Promise<{ readonly isClean: boolean }> {
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
    return { isClean: false };
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
      const row = at.rows?.find(({ id }) => id === finding.burst);
      const done = await mend(finding, look.listing, { config, client, row, log, signal });
      await tell("burst-swept", finding.burst, `${finding.found}; ${done}`, { ...finding });
      forget(state, finding.key);
    } catch (error) {
      log(`${finding.found}; it could not be mended: ${describeError(error)}`);
    }
  }
  return { isClean: look.findings.every(({ kind }) => kind !== "unknown-machine" && kind !== "unknown-stack") };
}

function forget({ since, told }: SweeperState, key: string): void {
  since.delete(key);
  told.delete(key);
}
