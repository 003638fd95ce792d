/**
 * The three-way comparison of ledger, stacks and providers: what is there and should not be, what should be and is not.
 * Pure. Only machines that are tagged with a burst can be unknown; those of node pools are never among these.
 */
import type { BurstRow, BurstState } from "../../agent/contract/ledger.ts";
import type { MachineStatus } from "../../providers/provider.ts";

/** A machine that a provider lists under this environment's tag and a burst's. */
export interface FoundMachine {
  readonly providerId: string;
  /** The node id it was made for. */
  readonly node: string;
  readonly burst: string;
  readonly status: Extract<MachineStatus, "running" | "stopped">;
  /** Its owner keeps it: it can't be ended, only what was put on it can be taken off. */
  readonly isKept: boolean;
}

/** What a cloud lists beside machines, under this environment's tag and a burst's. */
export interface FoundThing {
  readonly id: string;
  readonly kind: string;
  readonly burst: string;
  readonly hourly?: number | undefined;
}

export interface Comparable {
  /** Rows that are not gone; undefined when the ledger can't be read. */
  readonly rows: readonly BurstRow[] | undefined;
  readonly stacks: readonly { readonly burst: string; readonly providerIds: readonly string[] }[];
  readonly machines: readonly FoundMachine[];
  /** What else of bursts is there: disks, addresses and the like. */
  readonly things: readonly FoundThing[];
  /** Bursts that are being launched or destroyed right now, by this burster or another engine. */
  readonly busy: ReadonlySet<string>;
  /** The ledger is another one than before: what it does not know may still be wanted. */
  readonly ledgerIsNew: boolean;
  /** Offers whose host could not be asked: that it is not listed does not mean that it is gone. */
  readonly unaskedOffers: ReadonlySet<string>;
}

/**
 * - `unknown-machine`: a machine of no burst that the ledger has in launching, live, draining or retiring;
 * - `unknown-thing`: a disk, an address or the like of such a burst;
 * - `second-machine`: another machine of the same node has the stack's word;
 * - `lost-machine`: a burst that is live or draining, and its provider says that a machine of it is off or gone;
 * - `unknown-stack`: a stack of no such burst;
 * - `leaked`: could not be destroyed.
 */
export type FindingKind = "unknown-machine" | "unknown-thing" | "second-machine" | "lost-machine" | "unknown-stack" | "leaked";

export interface Finding {
  readonly kind: FindingKind;
  /** By which it is known again in the next comparison. */
  readonly key: string;
  readonly burst: string;
  /** Provider ids of the machines, or the thing, it is about. */
  readonly providerIds: readonly string[];
  /** A sentence. */
  readonly found: string;
  /** Whether it is only told, and `fsck --fix` is needed to act. */
  readonly onlyTold: boolean;
}

const owning: readonly BurstState[] = ["launching", "live", "draining", "retiring"];
/** More unknown machines than this and this share of all is taken for a fault of ours, not for orphans. */
const brakeCount = 2;
const brakeShare = 0.2;

export function compare(input: Comparable): Finding[] {
  const { stacks, machines, busy } = input;
  const rows = new Map((input.rows ?? []).map((row) => [row.id, row]));
  const hasOwner = (burst: string) => owning.includes(rows.get(burst)?.state ?? "gone") || rows.get(burst)?.state === "leaked";
  const findings: Finding[] = [];

  const unknown = machines.filter(({ burst }) => !hasOwner(burst) && !busy.has(burst));
  const braked = unknown.length > Math.max(brakeCount, brakeShare * machines.length);
  const onlyTold = input.rows === undefined || input.ledgerIsNew || braked;
  for (const { providerId, node, burst, status } of unknown) {
    const why = input.rows === undefined ? "the ledger can't be read" : "the ledger has no such burst";
    const found = `machine ${node} (${providerId}) of ${burst} is ${status}, and ${why}`;
    findings.push({ kind: "unknown-machine", key: `machine ${providerId}`, burst, providerIds: [providerId], found, onlyTold });
  }

  // Where a machine of that burst is unknown too, what hangs on it may go with it.
  const withMachines = new Set(unknown.map(({ burst }) => burst));
  for (const { id, kind, burst, hourly } of input.things) {
    if (hasOwner(burst) || busy.has(burst) || withMachines.has(burst)) continue;
    const price = hourly === undefined ? "" : ` and costs ${hourly} USD/hour`;
    const found = `the ${kind} ${id} of ${burst} is there${price}, and ${input.rows === undefined ? "the ledger can't be read" : "the ledger has no such burst"}`;
    findings.push({
      kind: "unknown-thing",
      key: `thing ${id}`,
      burst,
      providerIds: [id],
      found,
      onlyTold: input.rows === undefined || input.ledgerIsNew,
    });
  }

  const recorded = new Map(stacks.map((stack) => [stack.burst, new Set(stack.providerIds)]));
  for (const one of machines) {
    if (!hasOwner(one.burst) || busy.has(one.burst)) continue;
    const ofNode = machines.filter(({ node, burst }) => node === one.node && burst === one.burst);
    const known = recorded.get(one.burst);
    if (ofNode.length < 2 || known === undefined || known.has(one.providerId)) continue;
    if (!ofNode.some(({ providerId }) => known.has(providerId))) continue;
    const found = `machine ${one.providerId} is a second one for node ${one.node} of ${one.burst}`;
    const key = `machine ${one.providerId}`;
    // One host under two addresses looks the same: what is taken off it would be what is wanted.
    findings.push({ kind: "second-machine", key, burst: one.burst, providerIds: [one.providerId], found, onlyTold: one.isKept });
  }

  for (const row of rows.values()) {
    if (row.state === "leaked") {
      const found = `${row.id} could not be destroyed and costs ${row.hourly} USD/hour: ${row.why}`;
      findings.push({ kind: "leaked", key: `burst ${row.id}`, burst: row.id, providerIds: [], found, onlyTold: false });
    }
    if ((row.state !== "live" && row.state !== "draining") || busy.has(row.id) || input.unaskedOffers.has(row.offer)) continue;
    const missing = row.nodes.filter(
      (node) => !machines.some((machine) => machine.burst === row.id && machine.node === node && machine.status === "running"),
    );
    if (missing.length === 0) continue;
    const found = `${row.id} is ${row.state}, but its machine ${missing.join(", ")} is off or gone`;
    findings.push({ kind: "lost-machine", key: `burst ${row.id}`, burst: row.id, providerIds: [], found, onlyTold: false });
  }

  for (const { burst } of stacks) {
    if (hasOwner(burst) || busy.has(burst)) continue;
    const found = `the stack burst-${burst} is there, and ${input.rows === undefined ? "the ledger can't be read" : "the ledger has no such burst"}`;
    findings.push({ kind: "unknown-stack", key: `stack ${burst}`, burst, providerIds: [], found, onlyTold });
  }
  return findings;
}
