/** The first connection to a machine that was born with a host key of ours. */
import type { Machine } from "../../agent/contract/machine.ts";
import { nothingToInstall } from "../context.ts";
import { connect } from "../phases/connect.ts";
import { facts } from "../phases/facts.ts";
import { makeHostKeyPhase } from "../phases/make-host-key.ts";
import { runPhases } from "../run-phases.ts";

export interface PinRequest {
  /** `hostKey` is the fingerprint of the key that it was born with. */
  readonly machine: Machine;
  /** How long it may take until it answers, ms: it boots. */
  readonly patienceMs: number;
  readonly onProgress?: (text: string) => void;
  readonly onSentence?: (sentence: string) => void;
  readonly signal?: AbortSignal;
}

/**
 * Returns the fingerprint of the key that it has made for itself; the other one still counts until the machine becomes a
 * node. Safe to repeat. Throws `host-key-mismatch` for a machine that answers with another key, before anything is sent.
 */
export async function pinHostKey({ machine, patienceMs, ...told }: PinRequest): Promise<string> {
  let made: string | undefined;
  const phases = [
    connect,
    facts,
    makeHostKeyPhase((fingerprint) => {
      made = fingerprint;
    }),
  ];
  await runPhases(phases, { machine, role: "agent", ...nothingToInstall, patienceMs, ...told });
  if (made === undefined) throw new Error("bug: the phases ended without a host key");
  return made;
}
