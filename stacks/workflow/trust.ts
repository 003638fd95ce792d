/** Another host key for one machine: what is pinned and what is presented now, and the pin's replacement in the stack's state. */
import { SpillwayError } from "../../agent/contract/errors.ts";
import { type Machine, whereOf } from "../../agent/contract/machine.ts";
import { presentedHostKeys } from "../../bootstrap/ssh/connection.ts";
import { machineOfHost } from "../../providers/ssh/inventory.ts";
import { environmentProgram } from "../program.ts";
import { readSettings } from "../settings-file.ts";
import { trustVariable } from "../trusted-key.ts";
import { spareHosts, wantedMachines } from "../wanted-machines.ts";
import { findMachine, knownMachines, noSuchMachine } from "./machines.ts";
import { hostPlace, type Pinning, pinnedAt } from "./pinned-at.ts";
import { type ProgressOptions, trackProgress } from "./progress.ts";
import { engineFailure, parallel } from "./up.ts";
import { explained, openStack } from "./workspace.ts";

/** The keys of one machine. Nobody has logged in to learn this. */
export interface HostKeys {
  readonly machine: Machine;
  /** Of its resource; undefined while the environment has not been brought up with it. */
  readonly urn: string | undefined;
  /** What we expect; undefined when nothing is pinned. */
  readonly pinned: string | undefined;
  readonly presented: string;
  /** What pins it, when that is not the state. */
  readonly pinnedAt: Pinning | undefined;
  /** Whether bursts take it: then it is in no state but that of the burst which has it. */
  readonly isSpare: boolean;
}

/**
 * Throws `no-such-machine`, `no-host-key` for a machine that bears its key itself, and `ssh-unreachable`.
 * @param prepare called before the machine is dialled, or its jump hosts are logged in to
 */
export async function hostKeysOf(environment: string, typed: string, prepare?: (machine: Machine) => Promise<void>): Promise<HostKeys> {
  const settings = readSettings(environment);
  const { machines } = await knownMachines(environment);
  const spare = spareHosts(settings);
  const wanted = [...wantedMachines(settings), ...spare];
  const one = findMachine(wanted, (each) => (each.provider === "ssh" ? each.host : each), typed);
  const made = findMachine(machines, ({ machine }) => machine, one?.name ?? typed);
  if (one === undefined && made === undefined)
    throw noSuchMachine(environment, typed, [...wanted, ...machines.map(({ machine }) => machine)]);
  if (one?.provider !== "ssh") {
    throw new SpillwayError(
      made === undefined || made.machine.provider !== "ssh"
        ? `${typed} is a machine that Spillway makes, together with its host key: there is nothing to trust`
        : `${typed} stands no more in the settings`,
      { code: "no-host-key", hint: `Only the keys of your own hosts change by your own hand. \`spillway doctor ${typed}\` looks at it.` },
    );
  }
  const machine = machineOfHost(one.pool, one.host, { hostKey: made?.machine.hostKey });
  await prepare?.(machine);
  const keys = await presentedHostKeys(machine, whereOf(machine));
  return {
    machine,
    urn: made?.urn,
    pinned: machine.hostKey,
    // The pin may be of any of its keys.
    presented: keys.find((key) => key === machine.hostKey) ?? keys[0],
    pinnedAt: pinnedAt(environment, settings, one.pool, one.name),
    isSpare: spare.some(({ name }) => name === one.name),
  };
}

/**
 * Pins the presented key in the state: an update of that one machine's resource. Returns what else stands against the machine.
 * Throws `pinned-in-settings` (also by known_hosts), `not-made-yet`, `not-trusted` and what the engine says.
 */
export async function pinHostKey(environment: string, keys: HostKeys, options: ProgressOptions): Promise<{ problem: string | undefined }> {
  const { machine, urn, presented } = keys;
  if (keys.pinnedAt !== undefined) {
    const by = keys.pinnedAt.by === "settings" ? "the settings, which are" : "known_hosts, which is";
    throw new SpillwayError(`its host key is pinned by ${by} yours: nothing was changed`, {
      code: "pinned-in-settings",
      where: `machine ${machine.name}`,
      hint: `${keys.pinnedAt.change(presented)}, then: ./spillway up ${environment}`,
    });
  }
  if (urn === undefined) {
    const why = keys.isSpare ? "it is a spare host, which each burst trusts anew" : "it has not been brought up yet";
    throw new SpillwayError(`${why}, so there is no pin to replace`, {
      code: "not-made-yet",
      where: `machine ${machine.name}`,
      hint: `Write hostKey: "${presented}" at its host (${hostPlace(environment, machine.pool, machine.name)}), then: ./spillway up ${environment}`,
    });
  }
  const stack = await openStack(environment);
  const { workspace } = stack;
  workspace.envVars = { ...workspace.envVars, ...trustVariable(machine.name, presented) };
  const progress = trackProgress(options);
  try {
    const program = async () => ({ ...(await environmentProgram()) });
    await explained(environment, () =>
      stack.up({ program, target: [urn], parallel, refresh: false, onEvent: progress.onEvent, color: "never" }),
    );
  } catch (error) {
    throw engineFailure(error, progress.errors, `spillway nodes trust ${machine.name} --env ${environment}`);
  }
  const after = (await knownMachines(environment)).machines.find((known) => known.urn === urn);
  if (after?.machine.hostKey === presented) return { problem: after.problem };
  throw new SpillwayError(`the new key was not taken: ${after?.problem ?? "its resource is gone"}`, {
    code: "not-trusted",
    where: `machine ${machine.name}`,
    hint: `\`spillway doctor ${machine.name}\` tells what stands against it.`,
  });
}
